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
  const signed = groups.all().filter(({ by }) => by === peer);
  // A new manifest ends what members did meanwhile: whoever can be reached tells of it first.
  if (signed.length > 0) await groups.logs.learn(new Set(), signal);
  for (const manifest of signed) {
    const { peers } = groups.seated(manifest);
    const anew = await groups.adoptSeats({ manifest, log: [] }, peers);
    if (anew !== undefined) await groups.tell(anew);
  }
  await roll.tell(signal);
  return { hadWords, ...roll.told };
}
