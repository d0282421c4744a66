/**
 * People and shares between the two threads: what the user asks goes to the node's, and what the
 * folders of others are now comes to the kernel's, where they are shown.
 */
import type { Ino, Name } from "../base/ids.ts";
import type {
  Accepted, ExpiredShare, GiveQuestion, GroupQuestion, GuestRoot, KinRoot, LinkQuestion, Loss,
  LossQuestion, RevokeQuestion, SealedEra, SharedRoot, SharedRoots, SharingDuties, TiesTold,
  Withdrew,
} from "../base/sharing.ts";
import type { ContactView, GroupView, SharesView, TendedView } from "../base/views/sharing.ts";
import type { Channel, Handlers } from "./channel.ts";

export function serveSharing(sharing: SharingDuties): Handlers {
  const pair = (value: unknown) => value as [string, string];
  return {
    "sharing.me": () => sharing.me(),
    "sharing.contacts": () => sharing.contacts(),
    "sharing.addContact": (value) => sharing.addContact(...pair(value)),
    "sharing.removeContact": (name) => sharing.removeContact(name as string),
    "sharing.groups": () => sharing.groups(),
    "sharing.join": (asked) => sharing.join(asked as GroupQuestion),
    "sharing.leave": (asked) => sharing.leave(asked as GroupQuestion),
    "sharing.losses": (asked) => sharing.losses(asked as LossQuestion),
    "sharing.give": (asked) => sharing.give(asked as GiveQuestion),
    "sharing.revoke": (asked) => sharing.revoke(asked as RevokeQuestion),
    "sharing.withdrew": (told) => sharing.withdrew(told as Withdrew),
    "sharing.resealed": (sealed) => sharing.resealed(sealed as SealedEra),
    "sharing.dropped": (era) => sharing.dropped(era as number),
    "sharing.link": (asked) => sharing.link(asked as LinkQuestion),
    "sharing.accept": (value) => sharing.accept(...(value as Parameters<SharingDuties["accept"]>)),
    "sharing.tend": (name) => sharing.tend(name as string),
    "sharing.forget": (name) => sharing.forget(name as string),
    "sharing.renewing": () => sharing.renewing(),
    "sharing.renewed": (path) => sharing.renewed(path as readonly Name[]),
    "sharing.tied": (told) => sharing.tied(told as TiesTold),
    "sharing.folders": () => sharing.folders(),
    "sharing.list": () => sharing.list(),
  };
}

export function remoteSharing(channel: Pick<Channel, "call">): SharingDuties {
  const ask = async <T>(name: string, value?: unknown): Promise<T> =>
    (await channel.call(`sharing.${name}`, value)) as T;
  return {
    me: () => ask<string>("me"),
    contacts: () => ask<readonly ContactView[]>("contacts"),
    addContact: (name, text) => ask<ContactView>("addContact", [name, text]),
    removeContact: (name) => ask("removeContact", name),
    groups: () => ask<readonly GroupView[]>("groups"),
    join: (asked) => ask<readonly string[]>("join", asked),
    leave: (asked) => ask("leave", asked),
    losses: (asked) => ask<readonly Loss[]>("losses", asked),
    give: (asked) => ask<string | null>("give", asked),
    revoke: (asked) => ask("revoke", asked),
    withdrew: (told) => ask("withdrew", told),
    resealed: (sealed) => ask("resealed", sealed),
    dropped: (era) => ask("dropped", era),
    link: (asked) => ask<string>("link", asked),
    accept: (...asked) => ask<Accepted>("accept", asked),
    tend: (name) => ask<TendedView>("tend", name),
    forget: (name) => ask("forget", name),
    renewing: () => ask<readonly (readonly Name[])[]>("renewing"),
    renewed: (path) => ask("renewed", path),
    tied: (told) => ask("tied", told),
    folders: () => ask<readonly Ino[]>("folders"),
    list: () => ask<SharesView>("list"),
  };
}

export function serveSharedRoots(roots: SharedRoots): Handlers {
  return {
    shared: (news) => roots.shared(news as SharedRoot),
    expired: (share) => roots.expired(share as ExpiredShare),
    tied: (bytes) => roots.tied(bytes as Uint8Array),
    written: (news) => roots.written(news as GuestRoot),
    kin: (news) => roots.kin(news as KinRoot),
  };
}

export function remoteSharedRoots(channel: Pick<Channel, "call">): SharedRoots {
  return {
    shared: async (news) => void (await channel.call("shared", news)),
    expired: async (share) => void (await channel.call("expired", share)),
    tied: async (bytes) => void (await channel.call("tied", bytes)),
    written: async (news) => (await channel.call("written", news)) as boolean,
    kin: async (news) => void (await channel.call("kin", news)),
  };
}
