/**
 * What a node keeps and remembers, before anybody is met: its keys and books, the ledger, and the
 * vault. Rooms that are opened later are told to those that need them by `met`.
 */
import { join } from "node:path";
import type { Guardian } from "../agent/guard/guardian.ts";
import type { KeyValue } from "../base/blocks.ts";
import { systemClock as clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { systemRandom as random } from "../base/random.ts";
import { type OpenKeyValue, openKeyValue } from "../cache/cache.ts";
import { type PeerKeys, peerKeysOf } from "../crypt/ciphers/peer-key.ts";
import { Notices } from "../guard/notices.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sharing } from "../sharing/sharing.ts";
import { doubtBooks } from "../transfer/doubt.ts";
import { type Vault, openVault } from "../vault/vault.ts";
import { type NodeConfig, privateDirectory } from "./config.ts";
import { type Met, openNodeLedger } from "./ledger.ts";

export interface House {
  readonly keys: PeerKeys;
  readonly ledger: Ledger;
  readonly vault: Vault;
  readonly met: Met & { guardian?: Guardian; sharing?: Sharing };
  readonly notices: Notices;
  openBooks(name: string): Promise<KeyValue>;
}

export async function openHouse(
  { log }: { readonly log: Log }, config: NodeConfig, parts: AsyncDisposableStack,
): Promise<House> {
  const directory = privateDirectory(config.directory);
  const keys = peerKeysOf(config.peerSeed);
  const openBooks = async (name: string): Promise<OpenKeyValue> => {
    const opened = parts.use(await openKeyValue(join(directory, "books", name)));
    const { mending } = opened;
    if (mending !== "none") {
      log.error("node.books-damaged", { books: name, mending });
      if (name === "transfer") await doubtBooks(opened, "drive");
      if (name === "sharing") await doubtBooks(opened, "guests");
      if (name !== "vault") await opened.mended();
    }
    return opened;
  };
  // The vault answers peers, and judges by what is known of them: each needs the other; and the
  // ledger judges by what the vault keeps.
  const met: House["met"] = {};
  const ledgerNeeds = { clock, random, log, keys, met, books: await openBooks("ledger") };
  const ledger = await openNodeLedger(ledgerNeeds, config);
  const neighbours = { offer: () => met.peers?.offer(), peers: () => met.peers?.peers() ?? [] };
  const judges = { neighbours, lender: ledger.lender };
  const vaultNeeds = { directory: join(directory, "vault"), clock, log, keys, ...judges };
  const books = await openBooks("vault");
  const booksDamaged = books.mending !== "none";
  const vault = parts.use(await openVault({ ...vaultNeeds, books, booksDamaged }, config));
  if (booksDamaged) await books.mended();
  met.vault = vault;
  const notices = new Notices(() => clock.monotonicMs());
  return { keys, ledger, vault, met, notices, openBooks };
}
