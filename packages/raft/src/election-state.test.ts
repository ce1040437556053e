import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUuid, ZERO_UUID } from "@samsa/base";
import { decodeQuorumState, encodeQuorumState } from "./election-state.ts";

const directoryId = parseUuid("6VBnhFd3TXOPWF1HKyHIXA");
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (json: string): Uint8Array => new TextEncoder().encode(json);

test("at kraft.version 1 the file is as Kafka writes it", () => {
  const state = { epoch: 7, leaderId: undefined, votedKey: { id: 2, directoryId } };
  const json =
    '{"leaderId":-1,"leaderEpoch":7,"votedId":2,"votedDirectoryId":"6VBnhFd3TXOPWF1HKyHIXA","data_version":1}';
  assert.equal(text(encodeQuorumState(state, 1)), json);
  assert.deepEqual(decodeQuorumState(bytes(json)), state);
});

test("at kraft.version 0 it names the voters and no directory", () => {
  const json =
    '{"clusterId":"","leaderId":3,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":3}],"data_version":0}';
  const state = { epoch: 7, leaderId: 3, votedKey: undefined, voterIds: [1, 3] };
  assert.equal(text(encodeQuorumState(state, 0)), json);
  assert.deepEqual(decodeQuorumState(bytes(json)), state);
});

test("a vote of version 0 is one for a node whose directory is not known", () => {
  const json = '{"leaderId":-1,"leaderEpoch":1,"votedId":3,"data_version":0}';
  assert.deepEqual(decodeQuorumState(bytes(json)).votedKey, { id: 3, directoryId: ZERO_UUID });
});

const damaged = [
  { json: "", why: /no JSON/ },
  { json: "[1]", why: /data_version -1 is unknown/ },
  { json: "3", why: /no object/ },
  { json: '{"leaderEpoch":"x","data_version":1}', why: /leaderEpoch is no id or epoch/ },
  { json: '{"leaderEpoch":2147483648,"data_version":1}', why: /leaderEpoch is no id or epoch/ },
  { json: '{"data_version":1}', why: /leaderEpoch is missing/ },
  { json: '{"leaderEpoch":1,"data_version":7}', why: /data_version 7 is unknown/ },
  { json: '{"leaderEpoch":1,"votedDirectoryId":4,"data_version":1}', why: /votedDirectoryId is no id/ },
  { json: '{"leaderEpoch":1,"currentVoters":[{}],"data_version":0}', why: /names no id/ },
  { json: '{"leaderEpoch":1,"currentVoters":5,"data_version":0}', why: /no list/ },
];
for (const { json, why } of damaged) {
  test(`${JSON.stringify(json)} is refused: an epoch is not guessed`, () => {
    assert.throws(() => decodeQuorumState(bytes(json)), why);
  });
}
