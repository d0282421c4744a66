/** A vault in a folder of its own under /tmp, with the real books; it goes with its house. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyValue } from "../../src/base/blocks.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import type { Neighbourhood } from "../../src/vault/seat-policy.ts";
import { type Vault, openVault } from "../../src/vault/vault.ts";

export interface House extends AsyncDisposable {
  readonly vault: Vault;
  /** The same, for the contract suite. */
  readonly host: Vault;
}

export interface HouseOptions {
  readonly quotaBytes?: number;
  readonly ownersMax?: number;
  readonly strangerShare?: number;
  readonly clock?: Clock;
  readonly neighbours?: Neighbourhood;
  /** In memory, where much is written that no crash has to keep. */
  readonly books?: KeyValue;
  /** As LevelDB says it, if not told. */
  readonly booksDamaged?: boolean;
}

/** Opens the vault that lies in a directory, which stays when it is closed. */
export async function openHouseIn(
  directory: string, keys: PeerKeys, options: HouseOptions = {},
): Promise<House> {
  const { quotaBytes = 64 * 2 ** 20, ownersMax = 64, strangerShare = 1 } = options;
  const { clock = systemClock } = options;
  const disk = options.books === undefined ? await openKeyValue(join(directory, "books")) : undefined;
  const books = options.books ?? disk as KeyValue;
  const told = options.neighbours === undefined ? {} : { neighbours: options.neighbours };
  const booksDamaged = options.booksDamaged ?? (disk !== undefined && disk.mending !== "none");
  const place = { directory: join(directory, "vault"), books, booksDamaged };
  const needs = { ...place, ...told, clock, log: silentLog, keys };
  const room = { quotaBytes, ownersMax, strangerShare };
  const vault = await openVault(needs, room).catch(async (fault: unknown) => {
    await disk?.[Symbol.asyncDispose]();
    throw fault;
  });
  return {
    vault,
    host: vault,
    async [Symbol.asyncDispose]() {
      await vault[Symbol.asyncDispose]();
      await disk?.[Symbol.asyncDispose]();
    },
  };
}

/** The same in a new directory, which is removed when it is closed. */
export async function openHouse(
  keys: PeerKeys, options: HouseOptions = {},
): Promise<House & { readonly directory: string }> {
  const directory = await newDirectory();
  const house = await openHouseIn(directory, keys, options);
  return {
    ...house,
    directory,
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

export function newDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "hive-vault-"));
}
