/**
 * The key file: a node's secrets at rest, plain (the file itself is 0600; whoever writes it sees to
 * that) or under a passphrase. Pure: reads and writes no file, and no message shows a secret.
 *
 *   "hive-key v1\n" | body | SHA-256 of all before it (32 bytes)
 *   body, plain     = DAG-CBOR {drive?: 32 bytes, peer: 32 bytes, device?: bytes (added-device.ts)}
 *   body, sealed    = DAG-CBOR {lanes, memory (KiB), passes, salt: 16 bytes, sealed: bytes}
 *   sealed          = sealRecord(Argon2id(passphrase, salt, lanes, memory, passes), plain body),
 *                     with "hive-key v1\n" as additional data
 *
 * The hash tells a damaged file (Corrupt) from a wrong passphrase (Denied), and keeps a flipped bit
 * from quietly becoming another identity.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { openRecord, sealRecord } from "../ciphers/aead.ts";
import { type ArgonCost, passphraseKey } from "../ciphers/argon2.ts";
import { keyBytes } from "../ciphers/keys.ts";
import { digestBytes, sha256 } from "../ciphers/sha256.ts";
import { Fields, type Plain, decodePlain, encodePlain } from "../signed/cbor.ts";

export interface Secrets {
  /** What the 24 words stand for; undefined on a node that only keeps shards for others. */
  readonly driveSeed: Buffer | undefined;
  /** The seed of the node's own libp2p key. */
  readonly peerSeed: Buffer;
  /** What a device without the words was given by one that has them. */
  readonly device?: Buffer;
}

const magic = Buffer.from("hive-key v1\n");
const saltBytes = 16;
const sealedSize = { min: 1, max: 2048 } as const;
const deviceSize = { min: 1, max: 1024 } as const;
const what = "keyfile.open";

/** The file's bytes; with a passphrase they are of no use to whoever steals them. */
export async function encodeKeyFile(
  secrets: Secrets,
  passphrase: Uint8Array | undefined,
  random: Random,
): Promise<Buffer> {
  const plain = writeSecrets(secrets);
  if (passphrase === undefined) return finish(plain);
  checkPassphrase(passphrase);
  const { argonMemoryKiB, argonPasses } = limits.crypt;
  const cost: ArgonCost = { memoryKiB: argonMemoryKiB, passes: argonPasses, lanes: 1 };
  const salt = random.bytes(saltBytes);
  const key = await passphraseKey(passphrase, salt, cost);
  const sealed = sealRecord(key, plain, random, magic);
  const { memoryKiB: memory, passes, lanes } = cost;
  return finish(encodePlain({ memory, passes, lanes, salt, sealed }));
}

/** Denied when the passphrase is wrong or missing, Corrupt when the file is. */
export async function openKeyFile(
  bytes: Uint8Array,
  passphrase: Uint8Array | undefined,
): Promise<Secrets> {
  const body = bodyOf(bytes);
  const fields = new Fields(decodePlain(body, what), what);
  if (!fields.has("sealed")) return readSecrets(body);
  if (passphrase === undefined) throw new HiveError("Denied", what, "a passphrase is needed");
  checkPassphrase(passphrase);
  const { cost, salt, sealed } = readSealed(fields, body);
  const key = await passphraseKey(passphrase, salt, cost);
  return readSecrets(openSealed(key, sealed));
}

export function keyFileNeedsPassphrase(bytes: Uint8Array): boolean {
  return new Fields(decodePlain(bodyOf(bytes), what), what).has("sealed");
}

function writeSecrets({ driveSeed: drive, peerSeed: peer, device }: Secrets): Buffer {
  assert(peer.length === keyBytes, "a peer seed has 32 bytes");
  assert(drive === undefined || drive.length === keyBytes, "a drive seed has 32 bytes");
  assert(drive === undefined || device === undefined, "whoever has the seed needs no more");
  return encodePlain({
    peer, ...(drive === undefined ? {} : { drive }), ...(device === undefined ? {} : { device }),
  });
}

function readSecrets(body: Buffer): Secrets {
  const fields = new Fields(decodePlain(body, what), what);
  const isWhole = !(fields.has("drive") && fields.has("device"));
  const device = fields.has("device") ? Buffer.from(fields.bytes("device", deviceSize)) : undefined;
  const secrets: Secrets = {
    driveSeed: fields.has("drive") ? Buffer.from(fields.exactly("drive", keyBytes)) : undefined,
    peerSeed: Buffer.from(fields.exactly("peer", keyBytes)),
    ...(device === undefined ? {} : { device }),
  };
  if (!isWhole || !writeSecrets(secrets).equals(body)) throw fields.corrupt("form");
  return secrets;
}

interface SealedBody {
  readonly cost: ArgonCost;
  readonly salt: Buffer;
  readonly sealed: Buffer;
}

function readSealed(fields: Fields, body: Buffer): SealedBody {
  const { argonMemoryKiBMax, argonPassesMax, argonLanesMax } = limits.crypt;
  const lanes = fields.count("lanes", { min: 1, max: argonLanesMax });
  const memory = fields.count("memory", { min: 8 * lanes, max: argonMemoryKiBMax });
  const passes = fields.count("passes", { min: 1, max: argonPassesMax });
  const salt = fields.exactly("salt", saltBytes);
  const sealed = fields.bytes("sealed", sealedSize);
  const plain: Plain = { memory, passes, lanes, salt, sealed };
  if (!encodePlain(plain).equals(body)) throw fields.corrupt("form");
  return { cost: { memoryKiB: memory, passes, lanes }, salt, sealed };
}

/** The file is whole (its hash said so), so a seal that does not open has another passphrase. */
function openSealed(key: Buffer, sealed: Buffer): Buffer {
  try {
    return openRecord(key, sealed, magic);
  } catch (cause) {
    if (!isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Denied", what, "wrong passphrase");
  }
}

function finish(body: Buffer): Buffer {
  const head = Buffer.concat([magic, body]);
  return Buffer.concat([head, sha256(head)]);
}

function bodyOf(bytes: Uint8Array): Buffer {
  const whole = asBuffer(bytes);
  const fits = whole.length <= limits.crypt.keyFileBytesMax;
  const end = whole.length - digestBytes;
  if (!fits || end < magic.length || !whole.subarray(0, magic.length).equals(magic)) {
    throw new HiveError("Corrupt", what, "not a hive key file");
  }
  const intact = sha256(whole.subarray(0, end)).equals(whole.subarray(end));
  if (!intact) throw new HiveError("Corrupt", what, "the key file is damaged");
  return whole.subarray(magic.length, end);
}

function checkPassphrase(passphrase: Uint8Array): void {
  const { passphraseBytesMax } = limits.crypt;
  if (passphrase.length >= 1 && passphrase.length <= passphraseBytesMax) return;
  throw new HiveError("Usage", "keyfile.passphrase", `1 to ${passphraseBytesMax} bytes`);
}
