/**
 * What one person gives another to read: the records that stand for it, as typed values, and the
 * ports over which they go. `crypt/records/share-records.ts` signs and checks them, holders keep
 * them (`vault/shares.ts`), and `sharing/` makes and uses them.
 */
import type { ActHost, ActNetwork } from "./acts.ts";
import type { GroupId, Ino, Name, OwnerId, PeerId, PersonId, ShareId } from "./ids.ts";
import type { ContactView, GroupView, SharesView, TendedView } from "./views/sharing.ts";

/**
 * A shared folder as it is now: who may read it, and its newest state, sealed. Signed by the
 * drive's owner; the highest sequence counts, for the readers and for what they read alike.
 */
export interface Share {
  readonly owner: OwnerId;
  readonly share: ShareId;
  readonly sequence: number;
  readonly publishedAtMs: number;
  readonly readers: readonly ShareReader[];
  /** Those who may write it too, each by the key that her write right gave her. */
  readonly writers: readonly ShareWriter[];
  /** Opens with this record's own key, which each reader is given under his. */
  readonly sealed: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface ShareReader {
  readonly person: PersonId;
  /** `timeMsMax` for one that does not expire. */
  readonly expiresAtMs: number;
  /** The record's key, sealed under what the grant gave this reader. */
  readonly key: Uint8Array;
}

/** A right to write: holders take her records of the folder until the time is over. */
export interface ShareWriter {
  readonly writer: OwnerId;
  readonly expiresAtMs: number;
}

/** Write contains read, and read contains verify: to check what holders keep, and to mend it. */
export const capabilities = ["read", "write", "verify"] as const;
export type Capability = (typeof capabilities)[number];

/**
 * read: the reader's key for this share. write: a right to write, from which that follows. inbox:
 * the reader's key for her inbox, in which she finds what the groups that she is in are given.
 * verify: the key for what tells which groups keep the folder, and nothing that opens any of it.
 */
export const grantKinds = ["read", "write", "inbox", "verify"] as const;
export type GrantKind = (typeof grantKinds)[number];

/** What a reader is given once, and needs to find and open a share from then on. */
export interface Grant {
  readonly from: PersonId;
  readonly to: PersonId;
  readonly owner: OwnerId;
  readonly share: ShareId;
  /** What the giver calls the folder: shown, and a name to begin with. */
  readonly name: string;
  /** Some of those who keep it. */
  readonly peers: readonly PeerId[];
  readonly gives: GrantKind;
  /** The secret that it gives, which opens with the reader's own X-Wing key alone. */
  readonly sealed: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * put: a newer record. get: the record, if it is newer. key: this node's person's X-Wing key.
 * write: a guest's record, to one who keeps the owner's; or a reader's word that a device of hers
 * acts for her no more.
 */
export const shareActs = ["put", "get", "key", "write"] as const;
export type ShareAct = (typeof shareActs)[number];
export type ShareHost = ActHost<"share", ShareAct>;
export type ShareNetwork = ActNetwork<"share", ShareAct>;

/** A folder to give away, and to whom. */
export interface GiveQuestion {
  /** Names from the drive's root, as the kernel gives them. */
  readonly path: readonly Name[];
  readonly ino: Ino;
  /** The name of a contact or of a group. */
  readonly who: string;
  readonly expiresAtMs: number | null;
  /** For reading, if not told. */
  readonly gives?: Capability;
}

/** A folder for whoever has the link. */
export interface LinkQuestion extends Omit<GiveQuestion, "who" | "gives"> {
  readonly passphrase: Uint8Array | null;
}

export interface RevokeQuestion {
  readonly path: readonly Name[];
  /** Undefined when the folder is not there any more: then it is the one that was there. */
  readonly ino: Ino | undefined;
  /** The name of a contact or of a group. */
  readonly who: string;
}

/** People by their pet names, who come into a group or leave it. */
export interface GroupQuestion {
  readonly group: string;
  readonly people: readonly string[];
}

/** What is about to happen: somebody is shut out of a folder, or people leave a group. */
export type LossQuestion = Omit<RevokeQuestion, "path"> | GroupQuestion;

/** Those who could read a folder, and cannot after that. */
export interface Loss extends ExpiredShare {
  readonly ino: Ino;
}

/** Somebody was shut out, and a new era of the drive's keys began with it. */
export interface Withdrew {
  readonly era: number;
  /** As people write it. */
  readonly path: string;
  /** What she was called then. */
  readonly from: string;
  /** The folder whose snapshots from before are to go; null where they may stay. */
  readonly dropping: Ino | null;
}

/** All that there was in the folders of this era and those before it is sealed anew. */
export interface SealedEra {
  readonly era: number;
  /** No root that was made later has anything older. */
  readonly atMs: number;
}

/** The time of some is over who could read this folder. */
export interface ExpiredShare {
  readonly path: readonly Name[];
  readonly from: string;
}

/** A folder of somebody else's, as whoever checks and mends it without keys needs it. */
export interface Ward {
  readonly name: string;
  readonly owner: OwnerId;
  /** Those that keep the folder; undefined where it is not known yet. */
  readonly groups: ReadonlySet<GroupId> | undefined;
  /** Some of those who keep its shards. */
  readonly keepers: readonly PeerId[];
  /** Gone through now and then, and not only when somebody asks for it. */
  readonly isTended: boolean;
}

/** What was taken up. */
export interface Accepted {
  readonly gives: GrantKind;
  /** The one that it has from now on; null for an inbox, whose folders have their owner's. */
  readonly name: string | null;
}

/** What a root of the drive has of people and shares, encoded (dag/ties.ts). */
export interface TiesTold {
  readonly bytes: Uint8Array;
  /** Of the root that this device goes on from, and not of another device's. */
  readonly isOurs: boolean;
}

/** What a person asks of a node about people and shares. */
export interface SharingDuties {
  /** This node's person, as a short string for others. */
  me(): Promise<string>;
  contacts(): Promise<readonly ContactView[]>;
  /** Asks the person's node for what does not fit the string, and remembers both. */
  addContact(name: string, text: string): Promise<ContactView>;
  removeContact(name: string): Promise<void>;
  groups(): Promise<readonly GroupView[]>;
  /** Makes the group if there is none. For each of them a string, which she needs once for all. */
  join(asked: GroupQuestion): Promise<readonly string[]>;
  /** From now on they have nothing of what is shared with the group. */
  leave(asked: GroupQuestion): Promise<void>;
  /** The grant, as a string for that person; null for a group, whose people need none. */
  give(asked: GiveQuestion): Promise<string | null>;
  /** A grant for nobody in particular, as a string. */
  link(asked: LinkQuestion): Promise<string>;
  /** Who would be shut out, of which folders: the tree is told first. */
  losses(asked: LossQuestion): Promise<readonly Loss[]>;
  /** From now on this person is refused, and what is written is under other keys. */
  revoke(asked: RevokeQuestion): Promise<void>;
  /** What was there is to be sealed anew, and old copies are to go. */
  withdrew(told: Withdrew): Promise<void>;
  resealed(sealed: SealedEra): Promise<void>;
  /** No snapshot has anything any more of what was taken in this era and sealed anew. */
  dropped(era: number): Promise<void>;
  /** A link may need its passphrase. */
  accept(grant: string, name: string | null, passphrase: Uint8Array | null): Promise<Accepted>;
  forget(name: string): Promise<void>;
  /** Asks all holders of a folder of somebody else's for proofs, and brings back what is lost. */
  tend(name: string): Promise<TendedView>;
  /** Folders that somebody was shut out of, and of which not all has new secrets yet. */
  renewing(): Promise<readonly (readonly Name[])[]>;
  /** All of that one has. */
  renewed(path: readonly Name[]): Promise<void>;
  /** It counts here when this resolves; Corrupt when it is nonsense. */
  tied(told: TiesTold): Promise<void>;
  /** The folders that others may read, or could. */
  folders(): Promise<readonly Ino[]>;
  list(): Promise<SharesView>;
}

/** A folder of somebody else's, ready to be opened: a root record whose root is that folder. */
export interface SharedRoot {
  readonly name: Name;
  /** Undefined when it is to be seen no more. */
  readonly root: Uint8Array | undefined;
  /** Where it may be written: then what is written there is kept beside it, and merged with it. */
  readonly right?: GuestRight;
}

/** What a tree of a folder needs that somebody else owns. */
export interface GuestRight {
  readonly writer: OwnerId;
  readonly treeSecret: Uint8Array;
  /** Of the device that its changes are marked with. */
  readonly number: number;
  readonly deviceName: string;
  /** Another device writes by it: here nothing is written, and what was stays as it is. */
  readonly isHeld: boolean;
}

/** What somebody has of a folder of this drive that she may write. */
export interface GuestRoot {
  readonly folder: Ino;
  readonly root: Uint8Array;
  /** Of the device that she wrote it on, and of all that she writes on, or wrote on. */
  readonly number: number;
  readonly kin: readonly number[];
  /** What this user calls her. */
  readonly name: string;
}

/** What another device of this user has of a folder that both of them write. */
export interface KinRoot {
  readonly name: Name;
  /** By what this device writes there. */
  readonly writer: OwnerId;
  readonly root: Uint8Array;
}

/** Is told what the folders of others are now: each at the start, and whatever changes. */
export interface SharedRoots {
  /** Of one that may be written it resolves when all is merged; Busy while there is no tree. */
  shared(news: SharedRoot): Promise<void>;
  expired(share: ExpiredShare): Promise<void>;
  /** The drive's next root has these; Busy while there is no tree. */
  tied(bytes: Uint8Array): Promise<void>;
  /**
   * Resolves when it is part of the drive, and of the next head: true when all of it is, and else
   * the same root brings the rest. TooLarge when it says more than anybody may at once.
   */
  written(news: GuestRoot): Promise<boolean>;
  /** Resolves when it is part of the tree of that folder; Busy while there is none. */
  kin(news: KinRoot): Promise<void>;
}
