/** The room of people and shares, introduced to the rooms of a node with a drive. */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import { emptySource } from "../bridge/source.ts";
import { booksUnder } from "../agent/own-books.ts";
import { type OwnerSigner, certifier } from "../crypt/certificates.ts";
import type { PersonKeys } from "../crypt/grants.ts";
import type { WriteRight } from "../crypt/write-right.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { SharingDuties } from "../base/sharing.ts";
import type { Coder } from "../erasure/erasure.ts";
import { type Sharing, openSharing } from "../sharing/sharing.ts";
import type { Vault } from "../vault/vault.ts";
import { type Transfer, type TransferOptions, openTransfer } from "../transfer/transfer.ts";
import type { Company, Owner } from "./company.ts";
import type { NodeNeeds } from "./config.ts";
import { withOwnVault } from "./own-vault.ts";

export async function openNodeSharing(
  { blocks, roots, guestSource }: Pick<NodeNeeds, "blocks" | "roots" | "guestSource">,
  parts: Owner & {
    readonly person: PersonKeys;
    readonly clock: Clock; readonly random: Random; readonly log: Log;
    readonly company: Company; readonly transfer: Transfer; readonly coder: Coder;
    readonly openBooks: (name: string) => Promise<KeyValue>; readonly deviceName: string;
    readonly vault: Vault;
    /** By which this user's data goes where no folder says otherwise. */
    readonly usual: TransferOptions;
  },
): Promise<Sharing> {
  const { company: { peers, traffic, acting }, transfer, vault, clock } = parts;
  const network = withOwnVault(parts.company.network, { vault, acting, clock });
  // A node beside no mount has no store: then all comes from the peers.
  const source = blocks ?? transfer;
  const device = { peer: network.self, name: parts.deviceName };
  const books = await parts.openBooks("sharing");
  // What is written in folders of others is nobody's to audit: their owners take it in.
  const openGuest = ({ keys }: WriteRight, prefix: string) => openTransfer({
    ...parts, keys, network: parts.company.network, books: booksUnder(books, prefix),
    source: guestSource?.(keys.owner) ?? emptySource, brake: traffic.uploads,
    mayReadAhead: (bytes) => traffic.mayReadAhead(bytes),
  }, parts.usual);
  return openSharing({
    ...parts,
    certifier: (keys: OwnerSigner) => certifier(keys, device, parts.clock),
    network,
    books,
    openTransfer: openGuest,
    read: (cid) => source.fetch(cid, {}),
    roots: roots ?? {
      shared: async () => {}, expired: async () => {},
      written: async () => { throw new HiveError("Unsupported", "sharing", "no tree"); },
    },
    connect: (address) => peers.connect(address),
    mayReadAhead: (bytes) => traffic.mayReadAhead(bytes),
  });
}

/** A node without a drive is nobody's, and a device without the words has no person's keys. */
export const noSharing: SharingDuties = {
  me: refuse, contacts: refuse, addContact: refuse, removeContact: refuse, groups: refuse,
  join: refuse, leave: refuse, losses: refuse, give: refuse, link: refuse, revoke: refuse,
  accept: refuse, forget: refuse, list: refuse, renewed: refuse,
  withdrew: refuse, resealed: async () => {},
  renewing: async () => [], folders: async () => [],
};

async function refuse(): Promise<never> {
  throw new HiveError("Unsupported", "sharing", "this machine has not the words of a drive");
}
