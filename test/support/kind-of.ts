/** The kind of fault that an act ends in, "none" when it does not; anything else is a bug. */
import { isFault } from "../../src/base/errors.ts";

export async function kindOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return "none";
  } catch (error) {
    if (isFault(error)) return error.kind;
    throw error;
  }
}
