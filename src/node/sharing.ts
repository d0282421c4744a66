/**
 * The room of people and shares, introduced to the rooms of a node with a drive: all of it where
 * the drive's words are, and with them its person's keys, and else what a coded device has of it.
 */
import type { Tending } from "../agent/mending/tending.ts";
import type { KeyValue } from "../base/blocks.ts";
import { booksUnder } from "../base/books-under.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { SharingDuties } from "../base/sharing.ts";
import { type OwnerSigner, certifier } from "../crypt/records/certificates.ts";
import type { PersonKeys } from "../crypt/records/grants.ts";
import type { Coder } from "../erasure/erasure.ts";
import { openCodedSharing } from "../sharing/coded/coded-sharing.ts";
import { type Sharing, openSharing } from "../sharing/sharing.ts";
import type { Transfer } from "../transfer/transfer.ts";
import type { Vault } from "../vault/vault.ts";
import type { Company, Owner } from "./company.ts";
import type { NodeNeeds } from "./config.ts";
import type { Guests } from "./guests.ts";
import { withOwnVault } from "./own-vault.ts";

export async function openNodeSharing(
  { blocks, roots }: Pick<NodeNeeds, "blocks" | "roots">,
  parts: Owner & {
    readonly person: PersonKeys | undefined;
    readonly clock: Clock; readonly random: Random; readonly log: Log;
    readonly company: Company; readonly transfer: Transfer; readonly coder: Coder;
    readonly openBooks: (name: string) => Promise<KeyValue>; readonly deviceName: string;
    readonly vault: Vault; readonly guests: Guests | undefined;
  },
): Promise<Sharing> {
  const { company: { peers, traffic, acting, sharing }, transfer, vault, clock, guests, person }
    = parts;
  const own: Pick<Vault, "read" | "share"> = {
    read: (...asked) => vault.read(...asked), share: (...asked) => sharing.share(...asked),
  };
  const network = withOwnVault(parts.company.network, { vault: own, acting, clock });
  // A node beside no mount has no store: then all comes from the peers.
  const source = blocks ?? transfer;
  const device = { peer: network.self, name: parts.deviceName };
  const books = await parts.openBooks("sharing");
  const needs = {
    ...parts,
    certifier: (keys: OwnerSigner) => certifier(keys, device, parts.clock),
    network,
    books,
    read: (cid: Cid) => source.fetch(cid, {}),
    roots: roots ?? {
      shared: async () => {}, expired: async () => {}, tied: async () => {}, kin: async () => {},
      written: async () => { throw new HiveError("Unsupported", "sharing", "no tree"); },
    },
    connect: (address: string) => peers.connect(address),
    mayReadAhead: (bytes: number) => traffic.mayReadAhead(bytes),
    holdsReads: () => traffic.holdsReads,
  };
  const isRemoved = (): boolean => transfer.roll.isRemoved(network.self);
  if (person === undefined || guests === undefined) {
    return openCodedSharing({ ...needs, isRemoved });
  }
  return openSharing({
    ...needs, person,
    guests: {
      open: (right, prefix) => guests.open(right, booksUnder(books, prefix)),
      end: ({ keys }) => guests.end(keys.owner),
    },
  });
}

/** What was found where this node looks after folders of others is the agent's to tell. */
export function withTending(sharing: Sharing, tending: Tending | undefined): SharingDuties {
  return {
    ...sharing,
    list: async () => {
      const { wards, ...view } = await sharing.list();
      return { ...view, wards: wards.map((ward) => {
        return { ...ward, tended: tending?.view(ward.name) ?? null };
      }) };
    },
    tend: async (name) => {
      if (tending === undefined) return await refuse();
      return await tending.verify(name, AbortSignal.timeout(limits.wards.verifyMs));
    },
  };
}

/** A node without a drive is nobody's. */
export const noSharing: SharingDuties = {
  me: refuse, contacts: refuse, addContact: refuse, removeContact: refuse, groups: refuse,
  join: refuse, leave: refuse, losses: refuse, give: refuse, link: refuse, revoke: refuse,
  accept: refuse, forget: refuse, list: refuse, renewed: refuse, tend: refuse,
  withdrew: refuse, resealed: async () => {}, tied: async () => {}, dropped: refuse,
  renewing: async () => [], folders: async () => [],
};

async function refuse(): Promise<never> {
  throw new HiveError("Unsupported", "sharing", "this machine has no drive");
}
