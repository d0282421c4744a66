/** Inviting others to this node, and joining by an invitation. */
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { encodeInvite, isPlainAddress, parseInvite } from "./invite.ts";
import type { Peers } from "./peers.ts";

/** The invitation to this node; its name is shown to the friend. */
export function inviteTo(peers: Peers, name: string): string {
  const suffix = `/p2p/${peers.self}`;
  const addresses = peers.addresses().map((address) => address.replace(suffix, ""))
    .filter(isPlainAddress).slice(0, limits.peers.offerAddressesMax);
  return encodeInvite({ peer: peers.self, addresses, name });
}

/** Connects to the first address that answers, and tells it. */
export async function joinBy(peers: Peers, invitation: string): Promise<string> {
  const invite = parseInvite(invitation);
  const failures: unknown[] = [];
  for (const plain of invite.addresses) {
    const address = `${plain}/p2p/${invite.peer}`;
    try {
      await peers.connect(address);
      return address;
    } catch (failure) {
      failures.push(failure);
    }
  }
  const cause = new AggregateError(failures);
  throw new HiveError("Unavailable", "peers.join", "no address of the invite answers", { cause });
}
