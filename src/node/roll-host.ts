/**
 * Rolls of devices, for whoever brings or asks for one: a holder keeps those of the drives whose
 * shards it has, a drive's own device takes in its drive's.
 */
import type { DeviceHost, DeviceRoll } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import type { Requester } from "../base/network.ts";
import { decodeRollAsk, hashOfRoll, isPreferred, parseRoll } from "../crypt/drive/device-roll.ts";
import type { Rolls } from "../vault/rolls.ts";
import type { Met } from "./ledger.ts";

export function rollHost(rolls: Rolls, met: Met): DeviceHost {
  const ours = (owner: OwnerId): DeviceRoll | undefined => {
    const roll = met.transfer?.roll.current;
    return roll?.owner === owner ? roll : undefined;
  };
  return {
    async device(from, act, payload) {
      if (act === "roll") await put(parseRoll(payload));
      else if (act === "askRoll") return other(from, payload);
      else throw new HiveError("Unsupported", "device.add", "this device has a drive");
      return none;
    },
  };

  /** Denied where nothing is of that drive. */
  async function put(roll: DeviceRoll): Promise<void> {
    await met.transfer?.roll.hear(roll);
    // Whoever has the seed may have made another one of both.
    const known = ours(roll.owner);
    if (known === undefined || rolls.of(roll.owner) !== undefined) await rolls.keep(known ?? roll);
    if (known !== undefined && isPreferred(known, roll)) {
      throw new HiveError("Stale", "node.roll", `sequence ${roll.sequence}`);
    }
  }

  /** For the drive's devices alone, those among them that were shut out. */
  function other(from: Requester, payload: Uint8Array): Uint8Array {
    const { owner, known } = decodeRollAsk(payload);
    const roll = rolls.of(owner) ?? ours(owner);
    if (roll === undefined) return none;
    const isNamed = [...roll.added, ...roll.removed].some(({ peer }) => peer === from.peer);
    if (!isNamed && !from.owners.includes(owner)) {
      throw new HiveError("Denied", "node.roll", owner);
    }
    return hashOfRoll(roll).equals(known) ? none : roll.bytes;
  }
}

const none = Buffer.alloc(0);
