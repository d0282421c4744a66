/**
 * Round trips that can be believed: the echo by which a peer shows that its key answered this very
 * question of this very verifier, and the statement that the verifier signs of what it measured.
 *
 *   echo       Ed25519 of "hive/echo/1" || 0x00 || nonce || verifier || target, by the target
 *   statement  a record (envelope.ts) of kind "range", signed by the verifier:
 *              verifier target at trip country?
 *
 * Keys stand as their 32 bytes. The trip is in microseconds. A fresh nonce cannot be answered ahead
 * of time, and both names keep an answer from passing for another's.
 */
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { RangeStatement } from "../../base/records.ts";
import { isSignedBy, signatureBytes } from "../ciphers/ed25519.ts";
import { type PeerKeys, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";
import { countryIn, peerIn } from "../signed/record-fields.ts";

type PeerSigner = Pick<PeerKeys, "peer" | "sign">;

/** Nobody foresees 2^256 questions. */
export const echoNonceBytes = 32;
const echoBytes = signatureBytes;

/** Answers a verifier's nonce. */
export function signEcho(keys: PeerSigner, verifier: PeerId, nonce: Uint8Array): Uint8Array {
  if (nonce.length !== echoNonceBytes) throw new HiveError("Invalid", "range.echo", "nonce");
  return keys.sign(echoMessage({ nonce, verifier, target: keys.peer }));
}

/** Whether the target's key answered this nonce of this verifier. */
export function isEcho(
  asked: { readonly nonce: Uint8Array; readonly verifier: PeerId; readonly target: PeerId },
  echo: Uint8Array,
): boolean {
  if (echo.length !== echoBytes) return false;
  return isSignedBy(publicKeyOfPeer(asked.target), echoMessage(asked), echo);
}

export function signRange(
  keys: PeerSigner, told: Omit<RangeStatement, "bytes" | "verifier">,
): RangeStatement {
  return signRecord(rangeShape, { ...told, verifier: keys.peer }, keys.sign);
}

export function parseRange(bytes: Uint8Array): RangeStatement {
  return parseRecord(rangeShape, bytes);
}

function echoMessage(
  { nonce, verifier, target }: {
    readonly nonce: Uint8Array; readonly verifier: PeerId; readonly target: PeerId;
  },
): Buffer {
  const names = [publicKeyOfPeer(verifier), publicKeyOfPeer(target)];
  return Buffer.concat([Buffer.from("hive/echo/1\0"), nonce, ...names]);
}

const rangeShape: RecordShape<Omit<RangeStatement, "bytes">> = {
  kind: "range",
  signer: (statement) => publicKeyOfPeer(statement.verifier),
  write: (statement) => ({
    verifier: publicKeyOfPeer(statement.verifier),
    target: publicKeyOfPeer(statement.target),
    at: statement.atMs,
    trip: statement.tripUs,
    ...(statement.country === undefined ? {} : { country: statement.country }),
  }),
  read: (fields) => {
    const verifier = peerIn(fields, "verifier");
    const target = peerIn(fields, "target");
    if (verifier === target) throw fields.corrupt("target");
    return {
      verifier, target,
      atMs: fields.count("at", { min: 0, max: limits.records.timeMsMax }),
      tripUs: fields.count("trip", { min: 0, max: limits.peers.rangeTimeoutMs * 1000 }),
      country: countryIn(fields),
    };
  },
};
