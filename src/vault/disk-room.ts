/**
 * How much more may be written to the vault's disk: what is free there, less a reserve for the
 * machine's user, who comes first. Negative once the reserve itself is used up.
 */
import { statfs } from "node:fs/promises";
import { limits } from "../base/limits.ts";

export async function diskRoomBytes(directory: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return roomOf({ freeBytes: bavail * bsize, diskBytes: blocks * bsize });
}

export function roomOf(
  { freeBytes, diskBytes }: { readonly freeBytes: number; readonly diskBytes: number },
): number {
  const { diskReserveBytesMax, diskReserveShare } = limits.vault;
  return freeBytes - Math.min(diskReserveBytesMax, Math.floor(diskBytes * diskReserveShare));
}
