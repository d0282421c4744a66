/** What a daemon answers about the drive's past. */
import type { Drive } from "../../hive.ts";
import type { ControlHandlers } from "../daemon/control.ts";
import { namesOf } from "../daemon/inside-mount.ts";
import type { Home } from "../home/home.ts";
import { parseKeepRule } from "../home/keep-rule.ts";
import { readSettings } from "../home/settings.ts";

export function snapshotHandlersOf(home: Home, { snapshots, brake }: Drive): ControlHandlers {
  return {
    snapshots: ({ path }) => snapshots.list(namesOf(String(path))),
    createSnapshot: () => snapshots.create(),
    deleteSnapshot: ({ name }) => snapshots.remove(String(name)),
    compare: ({ path, from, to }) => snapshots.compare(namesOf(String(path)), {
      from: String(from), ...(typeof to === "string" ? { to } : {}),
    }),
    restore: ({ name, path, to, exact }) => snapshots.restore(String(name), namesOf(String(path)), {
      exact: exact === true, ...(typeof to === "string" ? { to: namesOf(to) } : {}),
    }),
    brake: () => brake.status(),
    undoBrake: () => brake.undo(),
    releaseBrake: () => brake.goOn(),
    reloadKeepRule: () => snapshots.keep(parseKeepRule(readSettings(home.settingsFile).keep)),
  };
}
