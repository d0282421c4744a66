/** The drive's devices for whoever asks: in rows, one by the beginning of its id, one more. */
import { systemClock as clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { KnownPeer } from "../base/network.ts";
import type { NodeDuties } from "../base/node.ts";
import type { DeviceRow } from "../base/peer-views.ts";
import type { Devices } from "../transfer/devices.ts";
import { admitByCode } from "./pairing.ts";
import type { Rooms } from "./rooms.ts";

export function deviceDuties(
  devicesNow: () => Devices,
  { peers, agent, name, driveSeed: seed }: Pick<Rooms, "peers" | "agent" | "name" | "driveSeed">,
): Pick<NodeDuties, "devices" | "forgetDevice" | "confirmDevice"> {
  return {
    devices: async () => deviceRows(devicesNow(), { known: peers.peers(), self: peers.self, name }),
    async forgetDevice(beginning) {
      const devices = devicesNow();
      const peer = chosenDevice(devices.list().map((one) => one.peer), beginning);
      await devices.forget(peer);
      // What waited for it is looked at now.
      agent.wake();
      return peer;
    },
    async confirmDevice(code) {
      if (seed !== undefined) return await admitByCode({ network: peers, clock, seed }, code);
      const why = "this device has not the drive's words: ask one that has them";
      throw new HiveError("Denied", "device.confirm", why);
    },
  };
}

/** This one comes first. */
export async function deviceRows(
  devices: Devices,
  { known, self, name }: {
    readonly known: readonly KnownPeer[]; readonly self: PeerId; readonly name: string;
  },
): Promise<readonly DeviceRow[]> {
  const others = devices.list();
  const names = await devices.namesOf(others.map(({ peer }) => peer));
  const online = new Set(known.filter((peer) => peer.online).map(({ offer }) => offer.peer));
  const own: DeviceRow = {
    peer: self, name, isThis: true, online: true, lastHeadAt: timeText(await devices.ownHeadAtMs()),
    isMerged: true, isForgotten: false, holdsBack: false,
  };
  const rows = others.map(({ publishedAtMs, ...told }, at): DeviceRow => ({
    ...told, name: names[at] ?? null, isThis: false, online: online.has(told.peer),
    lastHeadAt: timeText(publishedAtMs),
  }));
  return [own, ...rows];
}

/** The one that is meant: Invalid when that is not sure, NotFound when there is none. */
export function chosenDevice(peers: readonly PeerId[], beginning: string): PeerId {
  const { beginningCharsMin } = limits.devices;
  if (beginning.length < beginningCharsMin) {
    const why = `${beginning}: ${beginningCharsMin} characters at least`;
    throw new HiveError("Invalid", "device.forget", why);
  }
  const [peer, more] = peers.filter((one) => one.startsWith(beginning));
  if (peer === undefined) throw new HiveError("NotFound", "device.forget", beginning);
  if (more === undefined) return peer;
  throw new HiveError("Invalid", "device.forget", `${beginning}: several devices begin so`);
}

function timeText(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
