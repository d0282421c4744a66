/**
 * Invitations: where to find a node, in one short word to send to a friend. `hive1` and base58 of a
 * packed record with a checksum. It is a hint, not a secret: it lets nobody read anything.
 */
import { createHash } from "node:crypto";
import { base58btc } from "multiformats/bases/base58";
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import { type PeerId, parsePeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

export interface Invite {
  readonly peer: PeerId;
  /** Multiaddrs without their `/p2p/` part. */
  readonly addresses: readonly string[];
  /** What the inviter calls itself: shown, never trusted. */
  readonly name: string;
}

const prefix = "hive1";
const checksumBytes = 4;

export function encodeInvite(invite: Invite): string {
  const writer = new Writer().latin1(invite.peer).bytes(Buffer.from(invite.name, "utf8"));
  writer.varint(invite.addresses.length);
  for (const address of invite.addresses) writer.latin1(checkedAddress(address));
  const body = Buffer.from(writer.finish());
  const text = prefix + base58btc.baseEncode(Buffer.concat([body, checksum(body)]));
  if (text.length <= limits.peers.inviteCharsMax) return text;
  throw new HiveError("TooLarge", "peers.invite", "addresses");
}

/** Invalid when it was mistyped or cut: words from a person, so the fault is an argument. */
export function parseInvite(text: string): Invite {
  const trimmed = text.trim();
  if (!trimmed.startsWith(prefix) || trimmed.length > limits.peers.inviteCharsMax) throw invalid();
  try {
    const bytes = asBuffer(base58btc.baseDecode(trimmed.slice(prefix.length)));
    const body = bytes.subarray(0, Math.max(0, bytes.length - checksumBytes));
    if (!checksum(body).equals(bytes.subarray(body.length))) throw invalid();
    return parseBody(body);
  } catch (cause) {
    throw invalid(cause);
  }
}

function parseBody(body: Buffer): Invite {
  const reader = new Reader(body, "peers.invite");
  const peer = parsePeerId(reader.latin1());
  const name = reader.bytes().toString("utf8");
  if (name.length > nameCharsMax || /\p{Cc}/u.test(name)) throw invalid();
  const count = reader.varint();
  if (count > limits.peers.offerAddressesMax) throw invalid();
  const addresses = Array.from({ length: count }, () => checkedAddress(reader.latin1()));
  reader.end();
  return { peer, addresses, name };
}

const nameCharsMax = 64;
const host = "(ip4|ip6|dns|dns4|dns6)\\/[A-Za-z0-9.:-]{1,253}\\/tcp\\/\\d{1,5}";
const relayed = "\\/p2p\\/[1-9A-HJ-NP-Za-km-z]{30,128}\\/p2p-circuit";
const addressShape = new RegExp(`^\\/${host}(${relayed})?$`);

/**
 * A TCP multiaddr, or one of a relay that leads here, without its peer part: the only kinds that
 * go into offers and invitations.
 */
export function isPlainAddress(address: string): boolean {
  return addressShape.test(address);
}

function checkedAddress(address: string): string {
  if (isPlainAddress(address)) return address;
  throw invalid();
}

function checksum(body: Uint8Array): Buffer {
  const digest = createHash("sha256").update("hive invite").update(body).digest();
  return digest.subarray(0, checksumBytes);
}

function invalid(cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Invalid", "peers.invite", "invitation", options);
}
