/**
 * A link: a grant to somebody who is nobody in particular, with what it takes to be that person.
 * Whoever has the link can read, until it ends or is revoked; a passphrase keeps those out who only
 * came upon it.
 *
 *   text  "hivelink1" | base64url of the bytes
 *   bytes u8 0 | seed (32) | grant record
 *         u8 1 | salt (16) | sealRecord(Argon2id(passphrase, salt), seed) | grant record
 *
 * The seed is that of a person (crypt/records/grants.ts); Argon2id takes what limits.crypt says.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { Grant } from "../../base/sharing.ts";
import { openRecord, sealRecord, sealRecordOverheadBytes } from "../../crypt/ciphers/aead.ts";
import { passphraseKey } from "../../crypt/ciphers/argon2.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";

const prefix = "hivelink1";
const saltBytes = 16;
const sealedBytes = keyBytes + sealRecordOverheadBytes;
const { argonMemoryKiB: memoryKiB, argonPasses: passes } = limits.crypt;

interface ReadLink {
  readonly secret: Buffer;
  readonly salt: Buffer | undefined;
  readonly grant: Grant;
}

export function isLink(text: string): boolean {
  return text.trim().startsWith(prefix);
}

/** Invalid when it is no link. */
export function linkNeedsPassphrase(text: string): boolean {
  return parseLink(text).salt !== undefined;
}

export async function linkText(
  { seed, grant }: { readonly seed: Uint8Array; readonly grant: Grant },
  passphrase: Uint8Array | null, random: Random,
): Promise<string> {
  const parts = passphrase === null
    ? [Buffer.from([0]), seed]
    : await locked(seed, passphrase, random);
  return prefix + Buffer.concat([...parts, grant.bytes]).toString("base64url");
}

/** Denied without the right passphrase. */
export async function openLink(
  text: string, passphrase: Uint8Array | null,
): Promise<{ readonly seed: Uint8Array; readonly grant: Grant }> {
  const { secret, salt, grant } = parseLink(text);
  if (salt === undefined) return { seed: secret, grant };
  if (passphrase === null) throw new HiveError("Denied", "sharing.link", "needs its passphrase");
  try {
    return { seed: openRecord(await keyOf(passphrase, salt), secret), grant };
  } catch (cause) {
    if (!isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Denied", "sharing.link", "another passphrase", { cause });
  }
}

function parseLink(text: string): ReadLink {
  const trimmed = text.replace(/\s+/g, "");
  const isRight = trimmed.startsWith(prefix) && trimmed.length <= limits.sharing.grantCharsMax;
  if (!isRight) throw invalid();
  const bytes = Buffer.from(trimmed.slice(prefix.length), "base64url");
  const isLocked = bytes[0] === 1;
  const [from, to] = isLocked ? [1 + saltBytes, 1 + saltBytes + sealedBytes] : [1, 1 + keyBytes];
  if ((bytes[0] ?? 2) > 1 || bytes.length <= to) throw invalid();
  try {
    const grant = parseGrant(bytes.subarray(to));
    return {
      secret: bytes.subarray(from, to), salt: isLocked ? bytes.subarray(1, from) : undefined, grant,
    };
  } catch (cause) {
    throw invalid(cause);
  }
}

async function locked(
  seed: Uint8Array, passphrase: Uint8Array, random: Random,
): Promise<readonly Uint8Array[]> {
  const salt = random.bytes(saltBytes);
  const sealed = sealRecord(await keyOf(passphrase, salt), seed, random);
  return [Buffer.from([1]), salt, sealed];
}

function keyOf(passphrase: Uint8Array, salt: Uint8Array): Promise<Buffer> {
  return passphraseKey(passphrase, salt, { memoryKiB, passes, lanes: 1 });
}

function invalid(cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Invalid", "sharing.link", "link", options);
}
