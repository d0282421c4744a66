/** The frozen bytes of an added device: what it is given, what it signs, and how it was let in. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { type OwnerId, type PeerId, parseOwnerId, parsePeerId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { addedDevice, encodeAddedDevice, keysOfAdded, parseAddedDevice }
  from "../../src/crypt/devices/added-device.ts";
import { encodeAnswer, encodeHello, isProven, makeCode, openAnswer, parsePairing, readCode }
  from "../../src/crypt/devices/pairing.ts";
import { signHead, signRelease } from "../../src/crypt/records/records.ts";
import { faultOf } from "../support/faults.ts";
import { parsers } from "../support/record-parsers.ts";

interface Vectors {
  readonly seed: string;
  readonly peerSeed: string;
  readonly name: string;
  readonly nowMs: number;
  readonly device: string;
  readonly records: readonly {
    readonly comment: string; readonly kind: string; readonly bytes: string;
    readonly expect: string;
  }[];
  readonly pairing: {
    readonly code: string; readonly old: PeerId; readonly owner: OwnerId;
    readonly hello: string; readonly answer: string;
  };
}

const file = new URL("../vectors/crypt.devices.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
const peer = peerKeysOf(bytes(vectors.peerSeed));
const told = { peer: peer.peer, name: vectors.name, nowMs: vectors.nowMs };

test("what an added device is given is the frozen one, and reads back", async (t) => {
  const device = addedDevice(bytes(vectors.seed), told);
  t.equal(encodeAddedDevice(device).toString("hex"), vectors.device);
  t.strictSame(parseAddedDevice(bytes(vectors.device)), device);
  const cut = bytes(vectors.device).subarray(0, -1);
  t.equal(await faultOf(() => parseAddedDevice(cut)), "Corrupt");
});

test("what it signs is believed by its certificate, and by no other", async (t) => {
  for (const { comment, kind, bytes: hex, expect } of vectors.records) {
    t.equal(await faultOf(() => parsers[kind]?.(bytes(hex))), expect, comment);
  }
  const keys = keysOfAdded(parseAddedDevice(bytes(vectors.device)), peer);
  const [head, release] = vectors.records.map((one) => one.bytes);
  const sealed = Buffer.alloc(40, 7);
  const made = signHead(keys, { peer: peer.peer, sequence: 5, publishedAtMs: 1e12, sealed });
  t.equal(Buffer.from(made.bytes).toString("hex"), head);
  const segment = "5e".repeat(32) as never;
  const given = signRelease(keys, { segment, releasedAtMs: 1e12 });
  t.equal(Buffer.from(given.bytes).toString("hex"), release);
  t.equal(given.by, peer.peer);
});

test("a code and what is said under it are the frozen ones", async (t) => {
  const { code, hello, answer } = vectors.pairing;
  const old = parsePeerId(vectors.pairing.old);
  const owner = parseOwnerId(vectors.pairing.owner);
  const pair = { newcomer: peer.peer, old, owner };
  t.equal(makeCode(peer.peer, seededRandom("code")).text, code);
  const { key, isOf } = readCode(code);
  t.ok(isOf(peer.peer));
  t.equal(encodeHello(key, pair).toString("hex"), hello);
  t.equal(encodeAnswer(key, pair, "lap").toString("hex"), answer);
  const heard = parsePairing(bytes(hello));
  t.ok(heard.kind === "hello" && isProven(key, pair, heard.proof));
  t.equal(openAnswer(key, pair, bytes(answer)), "lap");
  const other = makeCode(peer.peer, seededRandom("another")).key;
  t.equal(await faultOf(() => openAnswer(other, pair, bytes(answer))), "Denied");
});
