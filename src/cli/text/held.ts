/** Which places of a drive its newest head does not tell as new as the rest, in words. */
import type { HeldBack } from "../../base/stand-in.ts";

/** "/a as it was, /b not yet, and 3 more" */
export function heldText({ held, more }: HeldBack): string {
  const places = held.map(({ path, isOlder }) => `${path} ${isOlder ? "as it was" : "not yet"}`);
  if (more === 0 && places.length > 0) return places.join(", ");
  const others = `${places.length === 0 ? "" : "and "}${more} more`;
  return more === 0 ? "snapshots made since" : [...places, others].join(", ");
}
