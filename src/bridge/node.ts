/** The node's port, stretched between the kernel's thread and the network's. */
import type { AddedView, EpochView, LoanOptions, RemovedView } from "../base/devices.ts";
import type { Cid, SegmentId } from "../base/ids.ts";
import type { HeadRoot, NodeDuties, StoreLife, VerifyOptions } from "../base/node.ts";
import type { TrafficOrders } from "../base/traffic.ts";
import type { NodeStatus, ReclaimReport, VerifyReport } from "../base/views/drive.ts";
import type { DeviceRow, InviteView, LeaveOrder, LeaveView } from "../base/views/peers.ts";
import type { LedgerView, PeerRow, Vouch } from "../base/views/peers.ts";
import type { PolicyQuestion, PolicyReport, PolicyTexts } from "../base/views/policies.ts";
import type { Channel, Handlers } from "./channel.ts";
import { remoteSharing, serveSharing } from "./sharing.ts";

export function serveNode(node: NodeDuties): Handlers {
  return {
    ...serveSharing(node.sharing),
    "node.fetch": (cid, signal) => node.fetch(cid as Cid, { signal }),
    "node.unplaced": (cids) => node.unplaced(cids as readonly Cid[]),
    "node.borrow": (asked) => {
      const { cid, ...options } = asked as { readonly cid: Cid } & LoanOptions;
      return node.borrow(cid, options);
    },
    "node.ipfsBlock": (cid) => node.ipfsBlock(cid as Cid),
    "node.status": () => node.status(),
    "node.peers": () => node.peers(),
    "node.ledger": () => node.ledger(),
    "node.flush": (timeoutMs) => node.flush(timeoutMs as number),
    "node.reclaim": (timeoutMs) => node.reclaim(timeoutMs as number),
    "node.verify": (options) => node.verify(options as VerifyOptions),
    "node.segmentsOf": (cids) => node.segmentsOf(cids as readonly Cid[]),
    "node.newestRoot": () => node.newestRoot(),
    "node.toldRoot": () => node.toldRoot(),
    "node.life": () => node.life(),
    "node.keepLife": (life) => node.keepLife(life as { number: number; other: number }),
    "node.explainPolicy": (asked) => node.explainPolicy(asked as PolicyQuestion),
    "node.govern": (texts) => node.govern(texts as PolicyTexts),
    "node.limit": (orders) => node.limit(orders as TrafficOrders),
    "node.mayCache": () => node.mayCache(),
    "node.vouch": (asked) => node.vouch(asked as Vouch),
    "node.invite": (options) => node.invite(options as { networkKey: boolean }),
    "node.join": (invite) => node.join(invite as string),
    "node.devices": () => node.devices(),
    "node.forgetDevice": (beginning) => node.forgetDevice(beginning as string),
    "node.confirmDevice": (code) => node.confirmDevice(code as string),
    "node.removeDevice": (named) => node.removeDevice(named as string),
    "node.epoch": () => node.epoch(),
    "node.renewed": (epoch) => node.renewed(epoch as number),
    "node.leave": (order) => node.leave(order as LeaveOrder),
    "node.setQuota": (bytes) => node.setQuota(bytes as number),
    "node.wake": () => node.wake(),
    "node.close": () => node.close(),
  };
}

export function remoteNode(channel: Pick<Channel, "call">): NodeDuties {
  const ask = async <T>(name: string, value?: unknown, signal?: AbortSignal): Promise<T> =>
    (await channel.call(`node.${name}`, value, signal)) as T;
  return {
    sharing: remoteSharing(channel),
    fetch: (cid, { signal }) => ask<Uint8Array>("fetch", cid, signal),
    unplaced: (cids) => ask<readonly Cid[]>("unplaced", cids),
    borrow: (cid, options) => ask<Uint8Array>("borrow", { cid, ...options }),
    ipfsBlock: (cid) => ask<Uint8Array>("ipfsBlock", cid),
    status: () => ask<NodeStatus>("status"),
    peers: () => ask<readonly PeerRow[]>("peers"),
    ledger: () => ask<LedgerView>("ledger"),
    flush: (timeoutMs) => ask("flush", timeoutMs),
    reclaim: (timeoutMs) => ask<ReclaimReport>("reclaim", timeoutMs),
    verify: (options) => ask<VerifyReport>("verify", options),
    segmentsOf: (cids) => ask<readonly (SegmentId | undefined)[]>("segmentsOf", cids),
    newestRoot: () => ask<Uint8Array | undefined>("newestRoot"),
    toldRoot: () => ask<HeadRoot | undefined>("toldRoot"),
    life: () => ask<StoreLife>("life"),
    keepLife: (life) => ask("keepLife", life),
    explainPolicy: (asked) => ask<PolicyReport>("explainPolicy", asked),
    govern: (texts) => ask("govern", texts),
    limit: (orders) => ask("limit", orders),
    mayCache: () => ask<boolean>("mayCache"),
    vouch: (asked) => ask("vouch", asked),
    invite: (options) => ask<InviteView>("invite", options),
    join: (invite) => ask<string>("join", invite),
    devices: () => ask<readonly DeviceRow[]>("devices"),
    forgetDevice: (beginning) => ask<string>("forgetDevice", beginning),
    confirmDevice: (code) => ask<AddedView>("confirmDevice", code),
    removeDevice: (named) => ask<RemovedView>("removeDevice", named),
    epoch: () => ask<EpochView>("epoch"),
    renewed: (epoch) => ask("renewed", epoch),
    leave: (order) => ask<LeaveView>("leave", order),
    setQuota: (bytes) => ask("setQuota", bytes),
    wake: () => ask("wake"),
    close: () => ask("close"),
  };
}
