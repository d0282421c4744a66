/**
 * The code by which a new device and one of the drive's know each other, and what they tell each
 * other under it. The code is carried by a person and never sent. Half of it is a secret; the other
 * half commits, under that secret, to the new device's key. So whoever is asked to confirm speaks
 * to nobody but the device that shows it, and that device believes nobody who does not know it.
 *
 *   code    12 characters of Crockford's base 32: 30 bits of secret, 30 bits of check
 *   key     SHA-256("hive pairing" | the secret's six characters)
 *   check   the first 30 bits of derive(key, "pair/check", new device's peer key)
 *   hello   u8 1 | 32-byte owner | 32-byte proof: derive(key, "pair/old", old | new | owner)
 *   answer  text name in UTF-8 | proof: derive(key, "pair/new", new | old | owner | name)
 *   gift    u8 2 | device, as added-device.ts has it
 *   bye     u8 3: the answer came
 *
 * Thirty bits are tried against once or a few times and are no more than that: each code is for one
 * device, some minutes and a few tries. Nothing that is sent helps a listener: it is inside of a
 * connection that proves both peer keys, which both proofs bind.
 */
import { timingSafeEqual } from "node:crypto";
import { Reader, Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { type OwnerId, type PeerId, bytesOfId, parseOwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { publicKeyBytes } from "../ciphers/ed25519.ts";
import { deriveKey } from "../ciphers/keys.ts";
import { publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { digestBytes, sha256 } from "../ciphers/sha256.ts";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const halfChars = 6;
const shownChars = 4;
const charBits = 5;

export interface PairingCode {
  /** As it is shown, and typed. */
  readonly text: string;
  readonly key: Buffer;
}

/** Which two devices, and whose drive. */
export interface Pair {
  readonly newcomer: PeerId;
  readonly old: PeerId;
  readonly owner: OwnerId;
}

export function makeCode(newcomer: PeerId, random: Random): PairingCode {
  const chosen = [...random.bytes(halfChars)].map((byte) => alphabet[byte % alphabet.length]);
  const secret = chosen.join("");
  const key = keyOf(secret);
  const whole = secret + checkOf(key, newcomer);
  return { text: whole.match(new RegExp(`.{${shownChars}}`, "g"))?.join("-") ?? whole, key };
}

/** Any case, and O, I and L for what they look like; Usage when it cannot be a code. */
export function readCode(typed: string): { readonly key: Buffer; isOf(peer: PeerId): boolean } {
  const plain = typed.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  const isOfIt = [...plain].every((one) => alphabet.includes(one));
  const isCode = plain.length === 2 * halfChars && isOfIt;
  if (!isCode) throw new HiveError("Usage", "device.confirm", "a code is three times four letters");
  const key = keyOf(plain.slice(0, halfChars));
  const check = plain.slice(halfChars);
  return { key, isOf: (peer) => checkOf(key, peer) === check };
}

export function encodeHello(key: Uint8Array, pair: Pair): Buffer {
  return new Writer(80).u8(1).hex(pair.owner).raw(proofOfOld(key, pair)).finish();
}

export function encodeAnswer(key: Uint8Array, pair: Pair, name: string): Buffer {
  return new Writer(128).bytes(Buffer.from(name)).raw(proofOfNew(key, pair, name)).finish();
}

/** The new device's name; Denied when it does not know the code. */
export function openAnswer(key: Uint8Array, pair: Pair, answer: Uint8Array): string {
  const reader = new Reader(answer, "pairing.answer");
  const name = nameIn(reader);
  const proof = reader.raw(digestBytes);
  reader.end();
  if (timingSafeEqual(proof, proofOfNew(key, pair, name))) return name;
  throw new HiveError("Denied", "device.confirm", "that device does not know the code");
}

export type PairingMessage =
  | { readonly kind: "hello"; readonly owner: OwnerId; readonly proof: Buffer }
  | { readonly kind: "gift"; readonly device: Buffer }
  | { readonly kind: "bye" };

export function encodeGift(device: Uint8Array): Buffer {
  return new Writer(1024).u8(2).raw(device).finish();
}

export function encodeBye(): Buffer {
  return new Writer(1).u8(3).finish();
}

/** What comes to the device that shows the code; whether it is true is told by `isProven`. */
export function parsePairing(bytes: Uint8Array): PairingMessage {
  const reader = new Reader(bytes, "pairing.message");
  const kind = reader.u8();
  if (kind === 2) return { kind: "gift", device: Buffer.from(reader.raw(reader.restBytes)) };
  if (kind !== 1 && kind !== 3) throw reader.corrupt(`kind ${kind}`);
  const hello = kind === 3 ? undefined : {
    owner: parseOwnerId(reader.hex(publicKeyBytes)), proof: Buffer.from(reader.raw(digestBytes)),
  };
  reader.end();
  return hello === undefined ? { kind: "bye" } : { kind: "hello", ...hello };
}

export function isProven(key: Uint8Array, pair: Pair, proof: Uint8Array): boolean {
  return timingSafeEqual(proof, proofOfOld(key, pair));
}

function proofOfOld(key: Uint8Array, { old, newcomer, owner }: Pair): Buffer {
  return deriveKey(key, "pair/old", contextOf(old, newcomer, owner));
}

function proofOfNew(key: Uint8Array, { old, newcomer, owner }: Pair, name: string): Buffer {
  const who = contextOf(newcomer, old, owner);
  return deriveKey(key, "pair/new", Buffer.concat([who, Buffer.from(name)]));
}

function contextOf(from: PeerId, to: PeerId, owner: OwnerId): Buffer {
  return Buffer.concat([publicKeyOfPeer(from), publicKeyOfPeer(to), bytesOfId(owner)]);
}

function keyOf(secret: string): Buffer {
  return sha256(Buffer.from(`hive pairing${secret}`));
}

function checkOf(key: Uint8Array, newcomer: PeerId): string {
  const bits = deriveKey(key, "pair/check", publicKeyOfPeer(newcomer)).readUInt32BE(0) >>> 2;
  const places = Array.from({ length: halfChars }, (_, at) => charBits * (halfChars - 1 - at));
  return places.map((place) => alphabet[(bits >>> place) & 31]).join("");
}

function nameIn(reader: Reader): string {
  const bytes = reader.bytes();
  const name = bytes.toString("utf8");
  const isName = bytes.length > 0 && bytes.length <= limits.records.nameBytesMax &&
    Buffer.from(name).equals(bytes) && !/\p{C}/u.test(name);
  if (isName) return name;
  throw reader.corrupt("name");
}
