/**
 * An entry of a ledger: one peer's word, against its own interest, of all that another has done for
 * it, and the other's signature under it. Nobody writes down what he has done himself.
 *
 *   admission   a record (crypt/signed/envelope.ts) of kind "admission", signed by the client:
 *               server client book number last at kept watched repaired sent
 *   acceptance  Ed25519 of "hive/acceptance/1" || 0x00 || the admission's bytes, by the server
 *   entry       DAG-CBOR [admission, acceptance]
 *   fraud       DAG-CBOR [admission, admission]: two of one position; whoever sees it can check it
 *
 * Keys stand as their 32 bytes. The position is (server, client, book, number); `last` is the
 * SHA-256 of the admission before. What is counted only grows. Pure.
 */
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isSignedBy, signatureBytes } from "../crypt/ciphers/ed25519.ts";
import { type PeerKeys, publicKeyOfPeer } from "../crypt/ciphers/peer-key.ts";
import { digestBytes, sha256 } from "../crypt/ciphers/sha256.ts";
import { decodePlain, encodePlain } from "../crypt/signed/cbor.ts";
import { type RecordShape, parseRecord, signRecord } from "../crypt/signed/envelope.ts";
import { peerIn } from "../crypt/signed/record-fields.ts";

type PeerSigner = Pick<PeerKeys, "peer" | "sign">;

/** What one peer has done for another since their first entry. */
export interface Counts {
  /** KiB hours: what it kept, by proofs. */
  readonly kept: number;
  /** Seconds during which somebody looked whether it did. */
  readonly watched: number;
  /** Bytes that it made anew for others to keep. */
  readonly repaired: number;
  /** Bytes that it handed out. */
  readonly sent: number;
}

/** The client's half of an entry. */
export interface Admission extends Counts {
  /** Who has done something, ... */
  readonly server: PeerId;
  /** ... and for whom. */
  readonly client: PeerId;
  /** Drawn when the client's books were made: whoever loses them begins others. In hex. */
  readonly book: string;
  /** From 1 on. */
  readonly number: number;
  /** The admission before, by its hash in hex; zeros before the first. */
  readonly last: string;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

export interface Entry extends Omit<Admission, "bytes"> {
  readonly admission: Admission;
  readonly bytes: Uint8Array;
}

/** Two admissions of one position, by one client. */
export interface Fraud {
  readonly peer: PeerId;
  readonly bytes: Uint8Array;
}

export const bookBytes = 8;
export const noCounts: Counts = { kept: 0, watched: 0, repaired: 0, sent: 0 };
export const countNames = ["kept", "watched", "repaired", "sent"] as const;
export const beforeFirst = "0".repeat(2 * digestBytes);

export function signAdmission(
  keys: PeerSigner, told: Omit<Admission, "client" | "bytes">,
): Admission {
  return signRecord(shape, { ...told, client: keys.peer }, keys.sign);
}

export function parseAdmission(bytes: Uint8Array): Admission {
  return parseRecord(shape, bytes);
}

/** By which the next admission names this one. */
export function hashOf({ bytes }: Pick<Admission, "bytes">): string {
  return sha256(bytes).toString("hex");
}

/** The server's signature under what its client admits. */
export function acceptAdmission(keys: PeerSigner, admission: Admission): Entry {
  if (keys.peer !== admission.server) throw new HiveError("Invalid", "ledger.accept", "another's");
  return entryOf(admission, keys.sign(acceptanceOf(admission)));
}

/** Both signatures are right, or it is Corrupt. */
export function parseEntry(bytes: Uint8Array): Entry {
  const [first, acceptance] = pairIn(bytes, "ledger.entry");
  const admission = parseAdmission(first);
  const key = publicKeyOfPeer(admission.server);
  const isRight = acceptance.length === signatureBytes &&
    isSignedBy(key, acceptanceOf(admission), acceptance);
  if (isRight) return entryOf(admission, acceptance);
  throw new HiveError("Corrupt", "ledger.entry", "the acceptance is wrong");
}

/** Whether both stand at one place and say different things. */
export function isDouble(one: Admission, other: Admission): boolean {
  const same = one.server === other.server && one.client === other.client &&
    one.book === other.book && one.number === other.number;
  return same && hashOf(one) !== hashOf(other);
}

/** What shows anybody that the client signed two things for one place. */
export function fraudOf(one: Admission, other: Admission): Fraud {
  if (!isDouble(one, other)) throw new HiveError("Invalid", "ledger.fraud", "no double record");
  return { peer: one.client, bytes: encodePlain([one.bytes, other.bytes]) };
}

export function parseFraud(bytes: Uint8Array): Fraud {
  if (bytes.length > limits.ledger.fraudBytesMax) {
    throw new HiveError("Corrupt", "ledger.fraud", `${bytes.length} bytes`);
  }
  const [one, other] = pairIn(bytes, "ledger.fraud").map(parseAdmission);
  const isRight = one !== undefined && other !== undefined && isDouble(one, other);
  if (isRight) return { peer: one.client, bytes: Buffer.from(bytes) };
  throw new HiveError("Corrupt", "ledger.fraud", "no double record");
}

function entryOf(admission: Admission, acceptance: Uint8Array): Entry {
  return { ...admission, admission, bytes: encodePlain([admission.bytes, acceptance]) };
}

function acceptanceOf({ bytes }: Admission): Buffer {
  return Buffer.concat([Buffer.from("hive/acceptance/1\0"), bytes]);
}

function pairIn(bytes: Uint8Array, what: string): readonly [Uint8Array, Uint8Array] {
  if (bytes.length > limits.records.recordBytesMax) {
    throw new HiveError("Corrupt", what, `${bytes.length} bytes`);
  }
  const value = decodePlain(bytes, what);
  if (Array.isArray(value) && value.length === 2) {
    const [one, other] = value;
    const isRight = one instanceof Uint8Array && other instanceof Uint8Array;
    if (isRight && encodePlain([one, other]).equals(bytes)) return [one, other];
  }
  throw new HiveError("Corrupt", what, "not a pair of byte strings");
}

const shape: RecordShape<Omit<Admission, "bytes">> = {
  kind: "admission",
  signer: ({ client }) => publicKeyOfPeer(client),
  write: (told) => ({
    server: publicKeyOfPeer(told.server),
    client: publicKeyOfPeer(told.client),
    book: Buffer.from(told.book, "hex"),
    number: told.number,
    last: Buffer.from(told.last, "hex"),
    at: told.atMs,
    kept: told.kept,
    watched: told.watched,
    repaired: told.repaired,
    sent: told.sent,
  }),
  read: (fields) => {
    const [server, client] = [peerIn(fields, "server"), peerIn(fields, "client")];
    if (server === client) throw fields.corrupt("client");
    const count = (name: string, min = 0) =>
      fields.count(name, { min, max: limits.ledger.countMax });
    return {
      server, client,
      book: fields.exactly("book", bookBytes).toString("hex"),
      number: count("number", 1),
      last: fields.exactly("last", digestBytes).toString("hex"),
      atMs: fields.count("at", { min: 0, max: limits.records.timeMsMax }),
      kept: count("kept"),
      watched: count("watched"),
      repaired: count("repaired"),
      sent: count("sent"),
    };
  },
};
