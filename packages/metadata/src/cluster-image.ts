import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import type { BrokerRegistrationChangeRecord } from "@samsa/protocol/messages/broker-registration-change-record";
import type { RegisterBrokerRecord } from "@samsa/protocol/messages/register-broker-record";
import type { RegisterControllerRecord } from "@samsa/protocol/messages/register-controller-record";
import type { SupportedVersionRange } from "./features.ts";
import { MetadataReplayError } from "./metadata-replay-error.ts";

export interface Endpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** By its code: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number;
}

export interface BrokerRegistration {
  readonly id: number;
  /** The offset of its RegisterBrokerRecord: later registrations have higher ones. */
  readonly epoch: number;
  /** Another one each time the process starts. */
  readonly incarnationId: Uuid;
  readonly listeners: ReadonlyMap<string, Endpoint>;
  readonly supportedFeatures: ReadonlyMap<string, SupportedVersionRange>;
  readonly rack: string | null;
  /** It may not lead, and clients are not told of it. */
  readonly fenced: boolean;
  readonly inControlledShutdown: boolean;
  readonly directories: readonly Uuid[];
  /** Directories that get no new replicas (KIP-1066); null until the broker has told. */
  readonly cordonedDirectories: readonly Uuid[] | null;
}

export interface ControllerRegistration {
  readonly id: number;
  readonly incarnationId: Uuid;
  readonly listeners: ReadonlyMap<string, Endpoint>;
  readonly supportedFeatures: ReadonlyMap<string, SupportedVersionRange>;
  readonly zkMigrationReady: boolean;
}

export interface ClusterImage {
  readonly brokers: ReadonlyMap<number, BrokerRegistration>;
  readonly controllers: ReadonlyMap<number, ControllerRegistration>;
}

export const EMPTY_CLUSTER: ClusterImage = { brokers: new Map(), controllers: new Map() };

/** Whether the broker may take part: registered and not fenced. */
export function isAlive(broker: BrokerRegistration | undefined): broker is BrokerRegistration {
  return broker !== undefined && !broker.fenced;
}

/** Whether the broker may become a leader or join an ISR. */
export function isActive(broker: BrokerRegistration | undefined): broker is BrokerRegistration {
  return isAlive(broker) && !broker.inControlledShutdown;
}

/** In place of a directory: the replica was in one, nobody knows which. */
const LOST_DIRECTORY = "AAAAAAAAAAAAAAAAAAAAAQ";
/** In place of a directory, from before brokers told of theirs. */
const MIGRATING_DIRECTORY = "AAAAAAAAAAAAAAAAAAAAAg";

/** Whether a replica in this directory can be there: the broker has the directory, or none was told yet (KIP-858). */
export function hasOnlineDirectory({ directories }: BrokerRegistration, directory: Uuid | undefined): boolean {
  if (directory === undefined || directory === ZERO_UUID || directory === MIGRATING_DIRECTORY) return true;
  if (directory === LOST_DIRECTORY) return false;
  return directories.length === 0 || directories.includes(directory);
}

const FENCE = 1;
const UNFENCE = -1;
const ENTER_CONTROLLED_SHUTDOWN = 1;

/** What records change about brokers and controllers. */
export class ClusterDelta {
  readonly image: ClusterImage;
  readonly #changedBrokers = new Map<number, BrokerRegistration | undefined>();
  readonly #changedControllers = new Map<number, ControllerRegistration | undefined>();

  constructor(image: ClusterImage) {
    this.image = image;
  }

  /** Each broker whose registration changed, as it is now; undefined when it is gone. */
  get changedBrokers(): ReadonlyMap<number, BrokerRegistration | undefined> {
    return this.#changedBrokers;
  }

  get changedControllers(): ReadonlyMap<number, ControllerRegistration | undefined> {
    return this.#changedControllers;
  }

  get isEmpty(): boolean {
    return this.#changedBrokers.size === 0 && this.#changedControllers.size === 0;
  }

  broker(id: number): BrokerRegistration | undefined {
    return this.#changedBrokers.has(id) ? this.#changedBrokers.get(id) : this.image.brokers.get(id);
  }

  replayRegisterBroker(record: RegisterBrokerRecord): void {
    this.#changedBrokers.set(record.brokerId, {
      id: record.brokerId,
      epoch: record.brokerEpoch,
      incarnationId: record.incarnationId,
      listeners: listenersOf(record.endPoints),
      supportedFeatures: featureRanges(record.features),
      rack: record.rack,
      fenced: record.fenced,
      inControlledShutdown: record.inControlledShutdown,
      directories: record.logDirs,
      cordonedDirectories: record.cordonedLogDirs,
    });
  }

  replayUnregisterBroker(id: number, epoch: number): void {
    this.#change("UnregisterBrokerRecord", id, epoch, () => undefined);
  }

  /** FenceBrokerRecord and UnfenceBrokerRecord, which older versions wrote. */
  replayFencing(id: number, epoch: number, fenced: boolean): void {
    const recordType = fenced ? "FenceBrokerRecord" : "UnfenceBrokerRecord";
    this.#change(recordType, id, epoch, (broker) => ({ ...broker, fenced }));
  }

  replayBrokerChange(record: BrokerRegistrationChangeRecord): void {
    const { fenced, inControlledShutdown, logDirs, cordonedLogDirs } = record;
    const recordType = "BrokerRegistrationChangeRecord";
    if (Math.abs(fenced) > 1 || (inControlledShutdown !== 0 && inControlledShutdown !== ENTER_CONTROLLED_SHUTDOWN)) {
      throw new MetadataReplayError(recordType, `unknown state of broker ${record.brokerId}`);
    }
    this.#change(recordType, record.brokerId, record.brokerEpoch, (broker) => ({
      ...broker,
      fenced: fenced === FENCE || (fenced !== UNFENCE && broker.fenced),
      inControlledShutdown: inControlledShutdown === ENTER_CONTROLLED_SHUTDOWN || broker.inControlledShutdown,
      directories: logDirs.length === 0 ? broker.directories : logDirs,
      cordonedDirectories: cordonedLogDirs ?? broker.cordonedDirectories,
    }));
  }

  replayRegisterController(record: RegisterControllerRecord): void {
    this.#changedControllers.set(record.controllerId, {
      id: record.controllerId,
      incarnationId: record.incarnationId,
      listeners: listenersOf(record.endPoints),
      supportedFeatures: featureRanges(record.features),
      zkMigrationReady: record.zkMigrationReady,
    });
  }

  replayUnregisterController(id: number): void {
    this.#changedControllers.set(id, undefined);
  }

  apply(): ClusterImage {
    if (this.isEmpty) return this.image;
    return {
      brokers: derive(this.image.brokers, this.#changedBrokers),
      controllers: derive(this.image.controllers, this.#changedControllers),
    };
  }

  #change(
    recordType: string,
    id: number,
    epoch: number,
    change: (broker: BrokerRegistration) => BrokerRegistration | undefined,
  ): void {
    const broker = this.broker(id);
    if (broker === undefined) throw new MetadataReplayError(recordType, `broker ${id} is not registered`);
    if (broker.epoch !== epoch) {
      throw new MetadataReplayError(recordType, `broker ${id} has epoch ${broker.epoch}, not ${epoch}`);
    }
    this.#changedBrokers.set(id, change(broker));
  }
}

/** Without what else the record may hold. */
function listenersOf(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(
    endpoints.map(({ name, host, port, securityProtocol }) => [name, { name, host, port, securityProtocol }]),
  );
}

function featureRanges(
  features: readonly {
    readonly name: string;
    readonly minSupportedVersion: number;
    readonly maxSupportedVersion: number;
  }[],
): ReadonlyMap<string, SupportedVersionRange> {
  return new Map(
    features.map(({ name, minSupportedVersion, maxSupportedVersion }) => [
      name,
      { min: minSupportedVersion, max: maxSupportedVersion },
    ]),
  );
}

/** A copy with some entries set, and those that are undefined removed. The map itself when nothing changes. */
function derive<K, V>(map: ReadonlyMap<K, V>, changes: ReadonlyMap<K, V | undefined>): ReadonlyMap<K, V> {
  if (changes.size === 0) return map;
  const derived = new Map(map);
  for (const [key, value] of changes) {
    if (value === undefined) derived.delete(key);
    else derived.set(key, value);
  }
  return derived;
}
