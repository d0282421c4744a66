/** The kind of the fault that something ended with, so that a test compares words. */
import { isFault } from "../../src/base/errors.ts";

/** "NotFound" and its like; "none" when it succeeded; the text of anything that is no fault. */
export async function faultOf(act: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof act === "function" ? act() : act);
    return "none";
  } catch (error) {
    return isFault(error) ? error.kind : String(error);
  }
}

/** The same of what ends at once, "ok" when it succeeded, as the vectors say it. */
export function outcomeOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    return isFault(error) ? error.kind : String(error);
  }
}

/** What it throws; what it answers where it throws nothing. */
export function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

export function isCorrupt(act: () => unknown): boolean {
  return isFault(thrownBy(act), "Corrupt");
}
