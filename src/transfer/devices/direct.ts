/**
 * What the devices of one drive say to each other with nobody between: the parts that hear, tell
 * and lend, made and introduced to each other. Who was shut out is none of them.
 */
import type { OwnerId, PeerId } from "../../base/ids.ts";
import type { Roll } from "../roll.ts";
import type { Devices } from "./devices.ts";
import { Hearing, type HearingNeeds } from "./hearing.ts";
import { DeviceLender, type DeviceLenderNeeds } from "./lender.ts";
import { Telling, type TellingNeeds } from "./telling.ts";

type Shared = DeviceLenderNeeds & Omit<TellingNeeds, "devices" | "isFreeLine">
  & Omit<HearingNeeds, "lender" | "isFreeLine" | "isRemoved">;

export interface DirectNeeds extends Shared {
  readonly owner: OwnerId;
  readonly roll: Pick<Roll, "isRemoved">;
  /** Those whose heads are known. */
  readonly devices: Pick<Devices, "peers">;
  readonly isFreeLine?: ((peer: PeerId) => boolean) | undefined;
}

export interface Direct {
  readonly lender: DeviceLender;
  readonly hearing: Hearing;
  readonly telling: Telling;
  /** The other devices, by their heads or their own word. */
  readonly known: () => readonly PeerId[];
}

export function directly(needs: DirectNeeds): Direct {
  const isFreeLine = needs.isFreeLine ?? (() => true);
  const isRemoved = (peer: PeerId): boolean => needs.roll.isRemoved(peer);
  const lender = new DeviceLender(needs);
  const hearing = new Hearing({ ...needs, isFreeLine, isRemoved, lender });
  const known = (): readonly PeerId[] => {
    const all = new Set([...needs.devices.peers(), ...hearing.peers()]);
    return [...all].filter((peer) => !isRemoved(peer));
  };
  const telling = new Telling({ ...needs, isFreeLine, devices: known });
  return { lender, hearing, telling, known };
}
