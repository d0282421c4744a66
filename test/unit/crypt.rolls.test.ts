/** The frozen bytes of rolls and epochs. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { type PeerId, parsePeerId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { addedDevice, keysOfAdded } from "../../src/crypt/devices/added-device.ts";
import { parseRoll } from "../../src/crypt/drive/device-roll.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { epochSecretOf, treeSecretOf } from "../../src/crypt/drive/epochs.ts";
import { HeadKeys } from "../../src/crypt/drive/head-keys.ts";
import { faultOf } from "../support/faults.ts";

interface Vectors {
  readonly seed: string;
  readonly peerSeed: string;
  readonly removed: { readonly peer: PeerId; readonly atMs: number };
  readonly epochs: readonly {
    readonly epoch: number; readonly secret: string; readonly tree: string; readonly head: string;
  }[];
  readonly rolls: readonly {
    readonly comment: string; readonly bytes: string; readonly expect: string;
  }[];
}

const file = new URL("../vectors/crypt.rolls.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
const drive = driveKeysOf(bytes(vectors.seed));
const peer = peerKeysOf(bytes(vectors.peerSeed));

test("epochs have the frozen secrets, and their heads open with them alone", async (t) => {
  for (const { epoch, secret, tree, head } of vectors.epochs) {
    const found = epochSecretOf(bytes(vectors.seed), epoch);
    t.equal(found.toString("hex"), secret, `${epoch}`);
    t.equal(treeSecretOf(found).toString("hex"), tree);
    const keys = new HeadKeys(drive.headKey);
    if (epoch > 0) t.equal(await faultOf(() => keys.open(bytes(head))), "Corrupt");
    keys.know(found, epoch);
    t.equal(keys.open(bytes(head)).toString(), `head of epoch ${epoch}`);
    const [first] = vectors.epochs;
    t.equal(keys.open(bytes(first!.head)).toString(), "head of epoch 0", "as do those before");
  }
});

test("rolls are believed exactly as written down", async (t) => {
  for (const { comment, bytes: hex, expect } of vectors.rolls) {
    t.equal(await faultOf(() => parseRoll(bytes(hex))), expect, comment);
  }
  const [first] = vectors.rolls;
  const roll = parseRoll(bytes(first!.bytes));
  const { peer: out, atMs } = vectors.removed;
  const told = { sequence: 7, signedAtMs: 1e12, added: [{ peer: peer.peer, name: "lap" }],
    removed: [{ peer: parsePeerId(out), atMs }] };
  const made = drive.signRoll!(told, seededRandom("roll"));
  t.equal(Buffer.from(made.bytes).toString("hex"), first!.bytes);
  const lap = addedDevice(bytes(vectors.seed), { peer: peer.peer, name: "lap", nowMs: 1 });
  t.equal(keysOfAdded(lap, peer).secretIn(roll)?.toString("hex"), vectors.epochs[1]?.secret);
  t.ok(drive.secretIn(roll)?.equals(bytes(vectors.epochs[1]!.secret)));
});
