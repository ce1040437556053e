/** What the connections of a client have done since it was made. They only grow. */
export interface ConnectionCounters {
  connectionsOpened: number;
  connectionsClosed: number;
  connectionFailures: number; // attempts that came to nothing
  requests: number;
  bytesSent: number;
  bytesReceived: number;
  /** How long brokers have asked to be left alone, in sum. */
  throttleTimeMs: number;
  metadataRequests: number;
  rebootstraps: number;
}

export function newConnectionCounters(): ConnectionCounters {
  return {
    connectionsOpened: 0,
    connectionsClosed: 0,
    connectionFailures: 0,
    requests: 0,
    bytesSent: 0,
    bytesReceived: 0,
    throttleTimeMs: 0,
    metadataRequests: 0,
    rebootstraps: 0,
  };
}
