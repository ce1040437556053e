import type { Address, Connection, Transport } from "@samsa/base";
import { ByteReader, TransportError } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { encodeRequest, FrameDecoder, responseHeaderVersion } from "@samsa/protocol";
import { ResponseHeader } from "@samsa/protocol/messages/response-header";

const MAX_FRAME_BYTES = 100 * 1024 * 1024;

/** A client for tests that says exactly what it is told to, byte by byte if need be. */
export class RawClient {
  readonly #connection: Connection;
  readonly #answers: ((frame: Uint8Array | undefined) => void)[] = [];
  readonly #frames: Uint8Array[] = [];
  /** Resolves when the connection has gone. */
  readonly closed: Promise<void>;
  #isClosed = false;
  #nextCorrelationId = 0;

  private constructor(connection: Connection, closed: Promise<void>) {
    this.#connection = connection;
    this.closed = closed;
  }

  static async connect(transport: Transport, address: Address): Promise<RawClient> {
    const decoder = new FrameDecoder(MAX_FRAME_BYTES);
    const state: { client?: RawClient; onClosed?: () => void } = {};
    const closed = new Promise<void>((resolve) => (state.onClosed = resolve));
    const connection = await transport.connect(address, {
      onData: (bytes) => {
        for (const frame of decoder.push(bytes)) state.client?.receive(frame);
      },
      onDrain: () => {},
      onClose: () => {
        state.client?.end();
        state.onClosed?.();
      },
    });
    state.client = new RawClient(connection, closed);
    return state.client;
  }

  /** Sends a request and reads its answer. */
  async request<Request, Response>(
    request: ApiMessageCodec<Request>,
    response: ApiMessageCodec<Response>,
    version: number,
    body: Request,
  ): Promise<Response> {
    const correlationId = this.send(request, version, body);
    const reader = new ByteReader(await this.nextFrame());
    const header = ResponseHeader.read(reader, responseHeaderVersion(request.apiKey, version));
    if (header.correlationId !== correlationId) throw new Error(`answer ${header.correlationId} to ${correlationId}`);
    return response.read(reader, version);
  }

  /** Sends a request without waiting; returns its correlation id. */
  send<Request>(request: ApiMessageCodec<Request>, version: number, body: Request): number {
    const correlationId = this.#nextCorrelationId++;
    this.sendBytes(...encodeRequest(request, body, version, correlationId, "raw"));
    return correlationId;
  }

  sendBytes(...chunks: readonly Uint8Array[]): void {
    this.#connection.write(chunks);
  }

  /** The next answer, header and all; rejects when the connection goes first. */
  async nextFrame(): Promise<Uint8Array> {
    const frame =
      this.#frames.shift() ??
      (this.#isClosed
        ? undefined
        : await new Promise<Uint8Array | undefined>((resolve) => this.#answers.push(resolve)));
    if (frame === undefined) throw new TransportError("ECONNRESET", "the broker closed the connection");
    return frame;
  }

  get hasAnswer(): boolean {
    return this.#frames.length > 0;
  }

  /** Bytes that the broker has not read yet. */
  get unsentBytes(): number {
    return this.#connection.bufferedBytes;
  }

  /** Takes no answers until `resume`. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): void {
    this.#connection.destroy();
  }

  private receive(frame: Uint8Array): void {
    const waiting = this.#answers.shift();
    if (waiting === undefined) this.#frames.push(frame);
    else waiting(frame);
  }

  private end(): void {
    this.#isClosed = true;
    for (const waiting of this.#answers.splice(0)) waiting(undefined);
  }
}
