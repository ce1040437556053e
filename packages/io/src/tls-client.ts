import { isIP, type Socket } from "node:net";
import process from "node:process";
import type { SecureVersion, TLSSocket } from "node:tls";

import { TransportError } from "@samsa/base";

import { formatAddress, toTransportError } from "./transport-errors.ts";

/** TLS for outgoing connections. PEM throughout, as text or bytes. */
export interface TlsClientOptions {
  /** Who may vouch for the server, in place of the authorities that Node knows. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** Our own certificate chain and its key, for servers that ask who we are. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  readonly passphrase?: string | undefined;
  /** The name to ask for and to find in the certificate. Default: the host that is connected to. */
  readonly servername?: string | undefined;
  /** Whether the certificate must be of the host, as `ssl.endpoint.identification.algorithm`. Default true. */
  readonly checkHostname?: boolean | undefined;
  /** False takes any certificate whatever. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  readonly minVersion?: SecureVersion | undefined; // default TLSv1.2
  /** As OpenSSL lists ciphers. */
  readonly ciphers?: string | undefined;
}

/**
 * Speaks TLS over a socket that is connected.
 * @param done exactly once, with the error that prevented it
 */
export function secure(
  socket: Socket,
  host: string,
  options: TlsClientOptions,
  done: (error: TransportError | undefined, secured: TLSSocket) => void,
): void {
  const { ca, checkHostname = true, servername, rejectUnauthorized = true, minVersion = "TLSv1.2" } = options;
  const name = servername ?? host;
  const { connect } = process.getBuiltinModule("node:tls"); // now, for most processes speak without it
  const secured = connect({
    socket,
    host: name,
    rejectUnauthorized,
    minVersion,
    // An address is no server name (RFC 6066).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(checkHostname ? {} : { checkServerIdentity: () => undefined }),
    ...(ca === undefined ? {} : { ca: asNode(ca) }),
    ...(options.cert === undefined ? {} : { cert: asBuffer(options.cert) }),
    ...(options.key === undefined ? {} : { key: asBuffer(options.key) }),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
  });
  const what = `TLS with ${formatAddress({ host, port: socket.remotePort ?? 0 })}`;
  const onError = (error: Error): void => {
    secured.off("secureConnect", onSecure);
    secured.off("close", onClose);
    secured.destroy();
    socket.destroy();
    done(toTransportError(error, what), secured);
  };
  const onClose = (): void => onError(new TransportError("ECONNRESET", "the connection was closed"));
  const onSecure = (): void => {
    secured.off("error", onError);
    secured.off("close", onClose);
    done(undefined, secured);
  };
  secured.once("error", onError);
  secured.once("close", onClose);
  secured.once("secureConnect", onSecure);
}

function asNode(ca: NonNullable<TlsClientOptions["ca"]>): (string | Buffer)[] {
  return (typeof ca === "string" || ca instanceof Uint8Array ? [ca] : [...ca]).map(asBuffer);
}

function asBuffer(pem: string | Uint8Array): string | Buffer {
  return typeof pem === "string" ? pem : Buffer.from(pem.buffer, pem.byteOffset, pem.length);
}
