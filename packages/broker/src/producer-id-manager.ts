/** A range of producer ids that the controller has handed to this broker. */
export interface ProducerIdBlock {
  readonly firstProducerId: number;
  readonly length: number;
}

/** Hands out producer ids from blocks (KIP-730). Callers who come while a block is on its way share it. */
export class ProducerIdManager {
  readonly #allocateBlock: () => Promise<ProducerIdBlock>;
  #nextId = 0;
  #endId = 0; // exclusive
  #pending: Promise<void> | undefined;

  constructor(allocateBlock: () => Promise<ProducerIdBlock>) {
    this.#allocateBlock = allocateBlock;
  }

  /** An id that no producer of the cluster has had. Rejects with what the controller answered. */
  async generateProducerId(): Promise<number> {
    while (this.#nextId >= this.#endId) {
      this.#pending ??= this.#refill().finally(() => (this.#pending = undefined));
      await this.#pending;
    }
    return this.#nextId++;
  }

  async #refill(): Promise<void> {
    const block = await this.#allocateBlock();
    this.#nextId = block.firstProducerId;
    this.#endId = block.firstProducerId + block.length;
  }
}
