/**
 * Invitations: where to find a node, in one short word to send to a friend: a prefix and base58 of
 * a packed record with a checksum. It lets nobody read anything. A `hive2` expires, and has a
 * token by which the inviter knows that who comes was invited, and so is a friend. A `hive3` holds
 * the key of a private network besides: whoever has the invite is in.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { base58btc } from "multiformats/bases/base58";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

export interface Invite {
  readonly peer: PeerId;
  /** Multiaddrs without their `/p2p/` part. */
  readonly addresses: readonly string[];
  /** What the inviter calls itself: shown, never trusted. */
  readonly name: string;
  /** Absent in those of the first version, which last for ever. */
  readonly pass?: Pass;
  /** 32 bytes; a secret. */
  readonly networkKey?: Uint8Array;
}

/** By which an inviter knows who was invited: it made the token, and keeps none. */
export interface Pass {
  readonly expiresAtMs: number;
  readonly token: Uint8Array;
}

/** Places alone; with a pass; with a network's key too. */
const prefixes = ["hive1", "hive2", "hive3"] as const;
const tokenBytes = 16;
export const networkKeyBytes = 32;
const checksumBytes = 4;

export function encodeInvite(invite: Invite): string {
  const writer = new Writer().latin1(invite.peer).bytes(Buffer.from(invite.name, "utf8"));
  writer.varint(invite.addresses.length);
  for (const address of invite.addresses) writer.latin1(checkedAddress(address));
  const { pass, networkKey } = invite;
  if (pass !== undefined) writer.varint(pass.expiresAtMs).raw(pass.token);
  if (networkKey !== undefined) writer.raw(networkKey);
  const body = Buffer.from(writer.finish());
  const prefix = prefixes[pass === undefined ? 0 : networkKey === undefined ? 1 : 2];
  const text = prefix + base58btc.baseEncode(Buffer.concat([body, checksum(body)]));
  if (text.length <= limits.peers.inviteCharsMax) return text;
  throw new HiveError("TooLarge", "peers.invite", "addresses");
}

/** Invalid when it was mistyped or cut: words from a person, so the fault is an argument. */
export function parseInvite(text: string): Invite {
  const trimmed = text.trim();
  const prefix = prefixes.find((one) => trimmed.startsWith(one));
  if (prefix === undefined || trimmed.length > limits.peers.inviteCharsMax) throw invalid();
  try {
    const bytes = asBuffer(base58btc.baseDecode(trimmed.slice(prefix.length)));
    const body = bytes.subarray(0, Math.max(0, bytes.length - checksumBytes));
    if (!checksum(body).equals(bytes.subarray(body.length))) throw invalid();
    return parseBody(body, prefix);
  } catch (cause) {
    throw invalid(cause);
  }
}

/** A token of an inviter's, made from its private key and the time: nothing has to be kept. */
export function passOf(privateKey: Uint8Array, expiresAtMs: number): Pass {
  const mac = createHmac("sha256", privateKey).update(`hive/invite/2/${expiresAtMs}`).digest();
  return { expiresAtMs, token: mac.subarray(0, tokenBytes) };
}

/** Whether the inviter with this key made it, and it has not expired. */
export function isPass(privateKey: Uint8Array, pass: Pass, nowMs: number): boolean {
  const { expiresAtMs, token } = pass;
  const soon = expiresAtMs > nowMs && expiresAtMs <= nowMs + 2 * limits.peers.inviteMs;
  if (!soon || token.length !== tokenBytes) return false;
  return timingSafeEqual(passOf(privateKey, expiresAtMs).token, token);
}

function parseBody(body: Buffer, prefix: (typeof prefixes)[number]): Invite {
  const reader = new Reader(body, "peers.invite");
  const peer = parsePeerId(reader.latin1());
  const name = reader.bytes().toString("utf8");
  if (name.length > nameCharsMax || /\p{Cc}/u.test(name)) throw invalid();
  const count = reader.varint();
  if (count > limits.peers.offerAddressesMax) throw invalid();
  const addresses = Array.from({ length: count }, () => checkedAddress(reader.latin1()));
  const pass = prefix === "hive1" ? {} : { pass: parsePass(reader) };
  const key = prefix === "hive3" ? { networkKey: Buffer.from(reader.raw(networkKeyBytes)) } : {};
  reader.end();
  return { peer, addresses, name, ...pass, ...key };
}

function parsePass(reader: Reader): Pass {
  const expiresAtMs = reader.varint();
  return { expiresAtMs, token: Buffer.from(reader.raw(tokenBytes)) };
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
