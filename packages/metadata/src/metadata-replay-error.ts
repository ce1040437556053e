import { ErrorCode, KafkaError } from "@samsa/base";

/** A record speaks of something that is not there, or of something that is there twice: the metadata log is damaged. */
export class MetadataReplayError extends KafkaError {
  override readonly name = "MetadataReplayError";

  constructor(recordType: string, problem: string) {
    super(ErrorCode.UNKNOWN_SERVER_ERROR, `the metadata log is inconsistent at a ${recordType}: ${problem}`);
  }
}
