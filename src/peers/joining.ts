/** Inviting others to this node, and joining by an invitation. */
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { InviteView } from "../base/views/peers.ts";
import type { Peers } from "./peers.ts";
import { encodeInvite, isPlainAddress, parseInvite } from "./wire/invite.ts";

export interface InviteOptions {
  /** Shown to the friend. */
  readonly name: string;
  readonly nowMs: number;
  /** The network's, if the invite shall carry it. */
  readonly networkKey?: Uint8Array | undefined;
}

/** The invitation to this node, and until when it holds. */
export function inviteTo(peers: Peers, { name, nowMs, networkKey }: InviteOptions): InviteView {
  const suffix = `/p2p/${peers.self}`;
  const addresses = peers.addresses().map((address) => address.replace(suffix, ""))
    .filter(isPlainAddress).slice(0, limits.peers.offerAddressesMax);
  const pass = peers.pass(nowMs + limits.peers.inviteMs);
  const key = networkKey === undefined ? {} : { networkKey };
  const invite = encodeInvite({ peer: peers.self, addresses, name, pass, ...key });
  return { invite, expiresAt: new Date(pass.expiresAtMs).toISOString() };
}

/** Connects to the first address that answers, and tells it; who invited us is a friend. */
export async function joinBy(peers: Peers, invitation: string, nowMs: number): Promise<string> {
  const { peer, addresses, pass } = parseInvite(invitation);
  refuseOwnInvite(peer, peers.self);
  if (pass !== undefined && pass.expiresAtMs <= nowMs) {
    throw new HiveError("Stale", "peers.join", "the invite has expired; ask for a new one");
  }
  const failures: unknown[] = [];
  for (const plain of addresses) {
    const address = `${plain}/p2p/${peer}`;
    try {
      await peers.connect(address, { friend: true, ...(pass === undefined ? {} : { pass }) });
      return address;
    } catch (failure) {
      failures.push(failure);
    }
  }
  const cause = new AggregateError(failures);
  throw new HiveError("Unavailable", "peers.join", "no address of the invite answers", { cause });
}

/** Nobody joins himself. */
export function refuseOwnInvite(maker: PeerId, self: PeerId): void {
  if (maker !== self) return;
  throw new HiveError("Invalid", "peers.join", "the invite was made by this very machine");
}
