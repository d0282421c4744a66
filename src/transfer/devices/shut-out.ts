/**
 * Shuts a device out of the drive, where the seed is: first what it was the last to sign becomes
 * somebody's who may, since holders that have the roll refuse it; then the roll goes out.
 */
import type { RemovedView } from "../../base/devices.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Groups } from "../groups/groups.ts";
import type { Roll } from "../roll.ts";

export type Removal = Pick<RemovedView, "hadWords" | "told" | "holders">;

/** Other devices and holders that can be reached know when it resolves. */
export async function shutOut(
  { roll, groups }: { readonly roll: Roll; readonly groups: Groups },
  peer: PeerId, signal: AbortSignal,
): Promise<Removal> {
  const { hadWords } = await roll.remove(peer);
  for (const manifest of groups.all().filter(({ by }) => by === peer)) {
    const { peers } = groups.seated(manifest);
    const signed = await groups.adoptSeats({ manifest, log: [] }, peers);
    if (signed !== undefined) await groups.tell(signed);
  }
  await roll.tell(signal);
  return { hadWords, ...roll.told };
}
