/** A state with its port: the present, or a moment of the past. */
import type { FileSystem } from "../../base/filesystem.ts";
import type { State } from "../state/state.ts";

export interface Moment {
  readonly state: State;
  readonly files: FileSystem;
}
