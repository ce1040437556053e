import type { Clock, Random, Timer } from "@samsa/base";
import type { Logger } from "@samsa/broker";
import { MemoryTransport } from "@samsa/io";
import type { SimulatedDisk, VirtualClock } from "@samsa/simulation";
import type { RunningBroker } from "../start-broker.ts";
import { startBroker } from "../start-broker.ts";
import { RawClient } from "./raw-client.ts";

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const MOST_TURNS = 20_000;
/** After so many turns without an end something waits for time to pass: a slow disk. */
const TURNS_WITHOUT_TIME = 20;

/** Lets everything happen that needs no time. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

/** The clock of one process: it stops with it. */
class LifeClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#isOver) return { cancel: () => undefined };
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(own);
      callback();
    });
    const own: Timer = {
      cancel: () => {
        this.#timers.delete(own);
        timer.cancel();
      },
    };
    this.#timers.add(own);
    return own;
  }

  stop(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }
}

/** A whole broker from one start to the crash of its disk, with which all of it is over. */
export class BrokerLife {
  readonly disk: SimulatedDisk;
  readonly #world: VirtualClock;
  readonly #clock: LifeClock;
  readonly #transport = new MemoryTransport();
  #broker: RunningBroker | undefined;
  #isOver = false;

  constructor(disk: SimulatedDisk, clock: VirtualClock) {
    this.disk = disk;
    this.#world = clock;
    this.#clock = new LifeClock(clock);
    disk.onCrash = () => this.end();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** False when the disk stopped before. */
  async start(random: Random, properties: Readonly<Record<string, string>>): Promise<boolean> {
    const options = { port: 0, dataDir: "/data", disk: this.disk, transport: this.#transport, random, properties };
    let failure: unknown;
    startBroker({ ...options, clock: this.#clock, logger: SILENT }).then(
      (broker) => (this.#broker = broker),
      (error: unknown) => (failure = error),
    );
    await this.#until(() => failure !== undefined || this.#broker !== undefined, "start");
    if (this.#isOver) return false;
    if (failure !== undefined) throw failure;
    return true;
  }

  /** As it should end: in order. False when the disk stopped before. */
  async stop(): Promise<boolean> {
    let isStopped = false;
    let failure: unknown;
    this.#broker?.close().then(
      () => (isStopped = true),
      (error: unknown) => (failure = error),
    );
    await this.#until(() => failure !== undefined || isStopped, "stop");
    if (this.#isOver) return false;
    this.end();
    if (failure !== undefined) throw failure;
    return true;
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      if (this.#isOver || isDone()) return;
      await turns(1);
      if (turn > TURNS_WITHOUT_TIME) this.#world.advance(1);
    }
    throw new Error(`the ${what} of a broker hangs`);
  }

  connect(): Promise<RawClient> {
    const { host = "", port = 0 } = this.#broker ?? {};
    return RawClient.connect(this.#transport, { host, port });
  }

  /** Now: nothing of this process happens any more that anybody sees. */
  end(): void {
    this.#isOver = true;
    this.#clock.stop();
  }
}
