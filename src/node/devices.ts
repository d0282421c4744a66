/** The drive's devices for whoever asks: in rows, one by the beginning of its id, one more. */
import { systemClock as clock } from "../base/clock.ts";
import type { AddedView } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import { type PeerId, parsePeerId } from "../base/ids.ts";
import { onlineAmong } from "../base/known-peers.ts";
import { limits } from "../base/limits.ts";
import type { KnownPeer } from "../base/network.ts";
import type { NodeDuties } from "../base/node.ts";
import type { DeviceRow } from "../base/views/peers.ts";
import type { Transfer } from "../transfer/transfer.ts";
import { admitByCode } from "./pairing.ts";
import type { Rooms } from "./rooms.ts";

type Duties = "devices" | "forgetDevice" | "confirmDevice" | "removeDevice" | "epoch" | "renewed";

export function deviceDuties(
  driveNow: () => Transfer,
  { peers, agent, name, driveSeed: seed }: Pick<Rooms, "peers" | "agent" | "name" | "driveSeed">,
): Pick<NodeDuties, Duties> {
  const rows = async () =>
    deviceRows(driveNow(), { known: peers.peers(), self: peers.self, name });
  return {
    devices: rows,
    async forgetDevice(beginning) {
      const { devices } = driveNow();
      const known = [...devices.list().map((one) => one.peer), ...devices.silent];
      const peer = chosenDevice(known, beginning);
      await devices.forget(peer);
      // What waited for it is looked at now.
      agent.wake();
      return peer;
    },
    async confirmDevice(code) {
      const { roll } = driveNow();
      if (seed === undefined) throw withoutWords("device.confirm");
      const enrol = async (device: AddedView): Promise<void> => {
        await roll.add(device);
        // It will ask holders for the drive, and for the roll that tells it this epoch's secret.
        await roll.tell(AbortSignal.timeout(limits.devices.removeMs));
      };
      const added = await admitByCode({ network: peers, clock, seed, enrol }, code);
      agent.wake();
      return added;
    },
    async removeDevice(named) {
      if (seed === undefined) throw withoutWords("device.remove");
      const row = namedDevice(await rows(), named);
      const peer = parsePeerId(row.peer);
      const signal = AbortSignal.timeout(limits.devices.removeMs);
      const removed = await driveNow().removeDevice(peer, signal);
      agent.wake();
      return { peer, name: row.name ?? peer, ...removed };
    },
    epoch: async () => driveNow().roll.view(),
    renewed: (epoch) => driveNow().roll.renewed(epoch),
  };
}

function withoutWords(op: string): HiveError {
  const why = "this device has not the drive's words: ask one that has them";
  return new HiveError("Denied", op, why);
}

/** The one that is meant, by its name or the beginning of its id; never this one. */
export function namedDevice(rows: readonly DeviceRow[], named: string): DeviceRow {
  const called = rows.filter(({ name }) => name === named);
  const [row, more] = called.length > 0 ? called : rows.filter(({ peer }) => {
    return peer === chosenDevice(rows.map((one) => parsePeerId(one.peer)), named);
  });
  if (row === undefined) throw new HiveError("NotFound", "device.which", named);
  if (more !== undefined) {
    const why = `several devices are called ${named}: name one by its id`;
    throw new HiveError("Invalid", "device.which", why);
  }
  if (!row.isThis) return row;
  throw new HiveError("Invalid", "device.remove", "that is this device; say it on another one");
}

/** This one comes first. */
export async function deviceRows(
  { devices, roll }: Pick<Transfer, "devices" | "roll">,
  { known, self, name }: {
    readonly known: readonly KnownPeer[]; readonly self: PeerId; readonly name: string;
  },
): Promise<readonly DeviceRow[]> {
  const others = devices.list();
  const names = await devices.namesOf(others.map(({ peer }) => peer));
  const online = onlineAmong(known);
  const { added = [], removed = [] } = roll.current ?? {};
  const standingOf = (peer: PeerId): DeviceRow["standing"] => {
    if (removed.some((one) => one.peer === peer)) return "removed";
    return added.some((one) => one.peer === peer) ? "added" : "words";
  };
  const own: DeviceRow = {
    peer: self, name, isThis: true, online: true, lastHeadAt: timeText(await devices.ownHeadAtMs()),
    isMerged: true, isForgotten: false, holdsBack: false, standing: standingOf(self),
  };
  const rows = others.map(({ publishedAtMs, ...told }, at): DeviceRow => ({
    ...told, name: names[at] ?? null, isThis: false, online: online.has(told.peer),
    lastHeadAt: timeText(publishedAtMs), standing: standingOf(told.peer),
  }));
  const listed = new Set([self, ...others.map(({ peer }) => peer)]);
  const silent = added.filter(({ peer }) => !listed.has(peer)).map((one): DeviceRow => ({
    peer: one.peer, name: one.name, isThis: false, online: online.has(one.peer), lastHeadAt: null,
    isMerged: true, isForgotten: devices.isGone(one.peer),
    holdsBack: devices.silent.includes(one.peer), standing: "added",
  }));
  return [own, ...rows, ...silent];
}

/** The one that is meant: Invalid when that is not sure, NotFound when there is none. */
export function chosenDevice(peers: readonly PeerId[], beginning: string): PeerId {
  const { beginningCharsMin } = limits.devices;
  if (beginning.length < beginningCharsMin) {
    const why = `${beginning}: an id, or ${beginningCharsMin} characters of its beginning at least`;
    throw new HiveError("Invalid", "device.which", why);
  }
  const [peer, more] = peers.filter((one) => one.startsWith(beginning));
  if (peer === undefined) throw new HiveError("NotFound", "device.which", beginning);
  if (more === undefined) return peer;
  throw new HiveError("Invalid", "device.which", `${beginning}: several devices begin so`);
}

function timeText(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
