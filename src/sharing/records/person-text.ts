/**
 * A person as a short string for others: which key signs for her, the hash of the key that receives
 * (1,216 bytes, which her node tells whoever asks), and where her node is. It lets nobody read
 * anything.
 *
 *   text  "hiveme1" | base64url of body | first 4 bytes of SHA-256("hive person" || body)
 *   body  person (32) | SHA-256 of her X-Wing key (32) | peer | varint addresses, each | name
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { type PeerId, type PersonId, parseOwnerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { digestBytes, sha256 } from "../../crypt/ciphers/sha256.ts";

const prefix = "hiveme1";
const checksumBytes = 4;
const { personCharsMax } = limits.sharing;
const { nameBytesMax, addressBytesMax, addressesMax } = limits.records;

const plain = /^[\x21-\x7e]+$/;

export interface PersonText {
  readonly person: PersonId;
  /** SHA-256 of the X-Wing key. */
  readonly sealHash: Buffer;
  readonly peer: PeerId;
  readonly addresses: readonly string[];
  /** What her device is called: shown, never trusted. */
  readonly name: string;
}

export function encodePerson({ person, sealHash, peer, addresses, name }: PersonText): string {
  const writer = new Writer().hex(person).raw(sealHash).latin1(peer).varint(addresses.length);
  for (const address of addresses) writer.latin1(address);
  const body = writer.bytes(Buffer.from(name)).finish();
  const text = prefix + Buffer.concat([body, checksumOf(body)]).toString("base64url");
  if (text.length <= personCharsMax) return text;
  throw new HiveError("TooLarge", "sharing.person", "addresses");
}

/** Invalid when it was mistyped or cut: words from a person, so the fault is an argument. */
export function parsePerson(text: string): PersonText {
  const trimmed = text.trim();
  const isRight = trimmed.startsWith(prefix) && trimmed.length <= personCharsMax;
  if (!isRight) throw invalid();
  const bytes = Buffer.from(trimmed.slice(prefix.length), "base64url");
  const body = bytes.subarray(0, Math.max(0, bytes.length - checksumBytes));
  if (!checksumOf(body).equals(bytes.subarray(body.length))) throw invalid();
  try {
    return readBody(new Reader(body, "sharing.person"));
  } catch (cause) {
    throw invalid(cause);
  }
}

function readBody(reader: Reader): PersonText {
  const person = parseOwnerId(reader.hex(digestBytes));
  const sealHash = Buffer.from(reader.raw(digestBytes));
  const peer = parsePeerId(reader.latin1());
  const count = reader.varint();
  if (count > addressesMax) throw invalid();
  const addresses = Array.from({ length: count }, () => reader.latin1());
  const name = reader.bytes().toString();
  reader.end();
  const isPlain = addresses.every((one) => one.length <= addressBytesMax && plain.test(one));
  if (!isPlain || Buffer.byteLength(name) > nameBytesMax || /\p{Cc}/u.test(name)) throw invalid();
  return { person, sealHash, peer, addresses, name };
}

function checksumOf(body: Uint8Array): Buffer {
  return sha256(Buffer.concat([Buffer.from("hive person"), body])).subarray(0, checksumBytes);
}

function invalid(cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Invalid", "sharing.person", "string of a person", options);
}
