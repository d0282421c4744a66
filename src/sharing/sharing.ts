/**
 * The face of this room: people, the folders that they are given, and those that they give. It asks
 * peers and answers this user; what holders keep of it is the vault's. It holds the keys of a
 * drive and of its person, and hands neither to anybody: what leaves it is sealed to one reader.
 *
 * Read given.ts for the way out, taken.ts for the way in, payload.ts for what goes between,
 * inboxes.ts for how groups find their people, and coded-ties.ts for what a device has of it that
 * was let in by a code.
 */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import type { AddedView } from "../base/devices.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { Cid, GroupId, OwnerId, PeerId, PersonId } from "../base/ids.ts";
import { isOnline } from "../base/known-peers.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { ShareNetwork, SharedRoots, SharingDuties, Ward } from "../base/sharing.ts";
import type { Step } from "../base/step.ts";
import { sha256 } from "../crypt/ciphers/sha256.ts";
import type { DriveKeys } from "../crypt/drive/drive.ts";
import type { RightPlace } from "../crypt/drive/write-right.ts";
import type { OwnerSigner } from "../crypt/records/certificates.ts";
import type { PersonKeys } from "../crypt/records/grants.ts";
import { treeKeys } from "../dag/keys.ts";
import { noDevices } from "../dag/marks.ts";
import { openRoot } from "../dag/root.ts";
import type { Coder } from "../erasure/erasure.ts";
import { wholeDrive } from "../transfer/groups/policies.ts";
import type { Transfer } from "../transfer/transfer.ts";
import { pathText } from "./given/given-view.ts";
import { Given, type GivenGuest, type Verified } from "./given/given.ts";
import { givingDuties } from "./given/giving-duties.ts";
import { Inboxes } from "./given/inboxes.ts";
import { Keepers } from "./given/keepers.ts";
import { Verifiers } from "./given/verifiers.ts";
import { Withdrawals } from "./given/withdrawals.ts";
import { GuestDevices, numbersOfDrive } from "./guests/guest-devices.ts";
import { GuestHeads } from "./guests/guest-heads.ts";
import { Dismissals } from "./mandates/dismissals.ts";
import { Mandates } from "./mandates/mandates.ts";
import { Contacts } from "./people/contacts.ts";
import { Groups } from "./people/groups.ts";
import { type ReadBlock, findFolder, policyNameAt } from "./records/folder-root.ts";
import { personIdOf } from "./records/person-keys.ts";
import { type PersonText, encodePerson } from "./records/person-text.ts";
import type { Roster } from "./records/roster.ts";
import { OwnInboxes } from "./taken/own-inboxes.ts";
import { Taken } from "./taken/taken.ts";
import { takingDuties } from "./taken/taking-duties.ts";
import { Wards } from "./taken/wards.ts";
import { TieSeals } from "./ties/tie-seals.ts";
import { Tied } from "./ties/tied.ts";
import type { GuestTransfers } from "./writing/writing.ts";

export interface SharingNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: PeerNetwork & ShareNetwork;
  readonly transfer: Pick<Transfer, "published" | "members" | "clearing"> & {
    readonly health: Pick<Transfer["health"], "groupsNamed">;
    readonly devices: Pick<Transfer["devices"], "areAny" | "isGone" | "peers" | "there">;
    readonly roll: Pick<Transfer["roll"], "current" | "isHeard">;
  };
  readonly guests: GuestTransfers;
  readonly coder: Coder;
  /** A block of this drive, or of a folder of somebody else's, by way of this machine's store. */
  readonly read: ReadBlock;
  readonly roots: SharedRoots;
  /** Connects to an address that a person's string tells. */
  readonly connect: (address: string) => Promise<unknown>;
  readonly deviceName: string;
  /** By which this node acts for whoever has these keys, anew as long as it is asked. */
  readonly certifier: (keys: OwnerSigner) => () => readonly DeviceCertificate[];
  readonly mayReadAhead: (bytes: number) => boolean;
  readonly holdsReads?: () => boolean;
}

export interface Sharing extends Omit<SharingDuties, "tend"> {
  /** Somebody who writes a folder may refer to what the drive does not. */
  readonly areGuests: boolean;
  /** Until what was written in folders of others is with peers; TimedOut otherwise. */
  flush(timeoutMs: number): Promise<void>;
  /** By which this node acts for the people whom links make, and for rights to write. */
  certificates(): readonly DeviceCertificate[];
  /** The folders of others that this node may check and mend, those that it reads among them. */
  wards(): readonly Ward[];
  readonly steps: readonly Step[];
  /** A block of somebody else's folder; NotFound when none names it. */
  fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
}

export async function openSharing(needs: SharingNeeds): Promise<Sharing> {
  const { transfer, network: { self } } = needs;
  const tied = new Tied({ ...needs, self, seals: new TieSeals(needs.keys.shareSecret) });
  const ours: Ours = { ...needs, tied, self };
  const contacts = new Contacts({
    ...ours, own: personIdOf(needs.person), askKey: (told) => askKey(needs, told),
  });
  const nameOf = (id: PersonId): string => contacts.nameOf(id);
  const nameFrom = ({ from }: { readonly from: PersonId }): string => nameOf(from);
  const groups = new Groups(ours);
  const { withdrawals, given, guestDevices, inboxes, verifiers, written } =
    wayOut({ ...ours, groups, nameOf });
  const { own, taken, wards, mandates, dismissals } = wayIn(ours);
  const rooms = [tied, withdrawals, contacts, groups, given, inboxes, verifiers, own, taken, wards];
  for (const room of rooms) await room.open();
  return {
    ...givingDuties({ ...needs, contacts, groups, given, inboxes }),
    ...takingDuties({ taken, inboxes: own, wards, nameOf: nameFrom }),
    steps: stepsOf({
      tied, given, guestDevices, inboxes, verifiers, own, mandates, dismissals, wards, taken,
      written, kin: { step: (signal) => taken.meetKin(signal) },
      writing: { step: (signal) => taken.write(signal) },
    }),
    get areGuests() {
      return written.areAny;
    },
    flush: (timeoutMs) => taken.flush(timeoutMs),
    fetch: (cid, options) => fetchAny([taken, written], cid, options),
    me: async () => ownText(needs),
    tied: ({ bytes, isOurs }) => tied.hear(bytes, { isOurs }),
    withdrew: (told) => withdrawals.begin(told),
    resealed: (sealed) => withdrawals.sealed(sealed),
    dropped: (era) => withdrawals.dropped(era),
    certificates: () => taken.certificates(),
    wards: () => [...wards.wards(), ...taken.wards()],
    list: async () => ({
      given: given.list(nameOf, (share, id) => written.wrote(share, id)),
      taken: taken.list(nameFrom),
      inboxes: own.list(nameFrom),
      wards: wards.list(nameFrom),
      withdrawals: withdrawals.list(transfer.devices.areAny ? anotherDevice : null),
    }),
  };
}

interface Ours extends SharingNeeds {
  readonly tied: Tied;
  readonly self: PeerId;
}

/** Folders of this drive that others may read, and what they write in them. */
function wayOut(
  ours: Ours & { readonly groups: Groups; readonly nameOf: (id: PersonId) => string },
) {
  const { transfer, roots, nameOf } = ours;
  const withMembers = {
    ...ours, members: () => transfer.members(), others: () => transfer.devices.areAny,
  };
  const withdrawals = new Withdrawals({ ...ours, clearing: transfer.clearing });
  const keepers = new Keepers({ ...ours, isThere: (device) => isOnline(ours.network, device) });
  const devicesOf = (place: RightPlace): Roster => guestDevices.of(place);
  const given = new Given({
    ...withMembers, keepers, devicesOf, published: () => transfer.published(),
    numbers: () => guestDevices.numbers(),
    isWithdrawing: (path) => withdrawals.isOpen(pathText(path)),
    expired: (path, who) => roots.expired({ path, from: who.map(nameOf).join(", ") }),
  });
  const guests = (): readonly GivenGuest[] => given.guests();
  const guestDevices = new GuestDevices({
    ...withMembers, guests, numbers: () => numbersIn(ours),
    changed: (share) => given.tellAnew(share),
  });
  const inboxes = new Inboxes({ ...withMembers, inboxOf: (id) => given.inboxOf(id) });
  const verifiers = new Verifiers({
    ...withMembers, verified: () => given.verified(),
    groupsOf: (folder) => groupsOf(ours, folder),
  });
  const written = new GuestHeads({ ...withMembers, guests, devicesOf });
  return { withdrawals, given, guestDevices, inboxes, verifiers, written };
}

/** Folders of others, for this device and for those of the drive that were let in by a code. */
function wayIn(ours: Ours) {
  const { transfer } = ours;
  const keepersOf = (owner: OwnerId): readonly PeerId[] => taken.keepersOf(owner);
  const own = new OwnInboxes({ ...ours, keepersOf });
  const isGone = (device: PeerId): boolean => transfer.devices.isGone(device);
  const taken = new Taken({ ...ours, isGone, offers: () => own.offers() });
  const readable = () => taken.readable();
  const mandates = new Mandates({
    ...ours, readable, coded: () => codedDevices(transfer.roll),
    inboxNumber: (owner) => own.numberOf(owner),
  });
  const dismissals = new Dismissals({ ...ours, readable, keepersOf });
  const wards = new Wards({ ...ours, keepersOf });
  return { own, taken, wards, mandates, dismissals };
}

/** This node's person, for others. */
function ownText({ person, network, deviceName: name }: SharingNeeds): string {
  const { self: peer } = network;
  const { addresses } = network.offer();
  const sealHash = sha256(person.sealPublic);
  return encodePerson({ person: personIdOf(person), sealHash, peer, addresses, name });
}

/** In this order. */
function stepsOf(rooms: Readonly<Record<string, Pick<Step, "step">>>): readonly Step[] {
  return Object.entries(rooms).map(([name, room]) => {
    return { name: `sharing.${name}`, step: (signal) => room.step(signal) };
  });
}

/** As long as nobody said whether one was removed meanwhile, none is left anything new. */
function codedDevices(
  { current, isHeard }: SharingNeeds["transfer"]["roll"],
): readonly AddedView[] | undefined {
  return isHeard ? current?.added : undefined;
}

/** Of whoever changed the drive, and of its devices, as far as they are known. */
async function numbersIn(
  { transfer, keys, network: { self } }: SharingNeeds,
): Promise<ReadonlySet<number>> {
  const { devices, roll } = transfer;
  const root = (await transfer.published())?.root;
  const seen = root === undefined ? noDevices : openRoot(treeKeys(keys.treeSecret), root).devices;
  const added = (roll.current?.added ?? []).map(({ peer }) => peer);
  return numbersOfDrive(seen, [self, ...devices.peers(), ...devices.there(), ...added]);
}

/** Those that were drawn for the policy that the folder goes by. */
async function groupsOf(
  { transfer, keys, read }: SharingNeeds, folder: Verified,
): Promise<readonly GroupId[] | undefined> {
  const published = await transfer.published();
  if (published === undefined) return undefined;
  const root = openRoot(treeKeys(keys.treeSecret), published.root);
  const found = await findFolder(root, folder, read);
  if (found === undefined) return undefined;
  const name = await policyNameAt(root, found.path, read);
  return transfer.health.groupsNamed(name ?? wholeDrive);
}

/** What only it refers to is in no count of this one (transfer/placed/reclaim.ts). */
const anotherDevice = "others who write here, and may refer to what was there";

async function fetchAny(
  sources: readonly Pick<Taken, "fetch">[], ...asked: Parameters<Taken["fetch"]>
): Promise<Uint8Array> {
  for (const source of sources) {
    try {
      return await source.fetch(...asked);
    } catch (error) {
      if (!isFault(error, "NotFound")) throw error;
    }
  }
  throw new HiveError("NotFound", "sharing.fetch", asked[0]);
}

/** Her node is known, can be found by its key, or is where the string says. */
async function askKey(
  { network, connect }: SharingNeeds, { peer, addresses }: PersonText,
): Promise<Uint8Array> {
  const tries = [
    async () => {},
    ...addresses.map((address) => () => connect(`${address}/p2p/${peer}`)),
  ];
  for (const meet of tries) {
    try {
      await meet();
      return await network.share(peer, "key", Buffer.alloc(0));
    } catch (error) {
      if (!(error instanceof HiveError)) throw error;
    }
  }
  throw new HiveError("Unavailable", "sharing.contact", "her machine does not answer");
}
