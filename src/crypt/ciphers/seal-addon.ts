/**
 * native/seal as this room uses it: chunks (blocks/chunk-seal.ts), records (aead.ts) and the trees
 * that name shards (blocks/merkle.ts). Where it is not the quicker way there is none, and node's
 * OpenSSL does all of it.
 */
import { HiveError } from "../../base/errors.ts";
import { loadAddon } from "../../base/machine/native.ts";

/** What native/seal/addon.c exports; it checks every argument itself. */
export interface SealAddon {
  /** "sha-ni" or "scalar"; empty when this node has no OpenSSL to lend. */
  readonly path: string;
  seal(
    suite: number, secret: Uint8Array, plains: readonly Uint8Array[],
    sealed: readonly Uint8Array[], links: Uint8Array, tags: Uint8Array,
  ): void;
  sealLater(
    suite: number, secret: Uint8Array, plains: readonly Uint8Array[],
    sealed: readonly Uint8Array[], links: Uint8Array, tags: Uint8Array,
  ): Promise<void>;
  open(
    links: Uint8Array, sealed: readonly Uint8Array[], plains: readonly Uint8Array[],
    verdicts: Uint8Array, byName: boolean, tags: Uint8Array,
  ): void;
  openLeaves(
    key: Uint8Array, first: number, sealed: Uint8Array, tags: Uint8Array, plain: Uint8Array,
  ): boolean;
  sealRecord(
    key: Uint8Array, nonce: Uint8Array, additional: Uint8Array, plain: Uint8Array,
    sealed: Uint8Array,
  ): void;
  /** What is wrong: 0 if nothing is. */
  openRecord(
    key: Uint8Array, additional: Uint8Array, sealed: Uint8Array, plain: Uint8Array,
  ): number;
  merkle(shard: Uint8Array, tree: Uint8Array): void;
}

/** Undefined where the addon was never built, or would be the slower of the two. */
export function quickAddon(): SealAddon | undefined {
  const addon = loadAddon("seal", parseAddon);
  return addon?.path === "sha-ni" ? addon : undefined;
}

function parseAddon(exports: unknown): SealAddon {
  const addon = exports as Partial<SealAddon> | null;
  const { seal, sealLater, open, openLeaves, sealRecord, openRecord, merkle } = addon ?? {};
  const calls = [seal, sealLater, open, openLeaves, sealRecord, openRecord, merkle];
  const sound = calls.every((call) => typeof call === "function") &&
    typeof addon?.path === "string";
  if (!sound) throw new HiveError("Corrupt", "crypt.load", "seal is another addon");
  return addon as SealAddon;
}
