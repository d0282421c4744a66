/** The word that was meant, where one letter or two are wrong; no guess where nobody can tell. */
import { test } from "tap";
import { commands } from "../../src/cli/table/commands.ts";
import { nearest } from "../../src/cli/table/nearest.ts";

test("a slip of the fingers is understood, another word is not", (t) => {
  const names = commands.map(({ name }) => name);
  const meant = { staus: "status", restor: "restore", unmout: "unmount", mnt: undefined };
  for (const [typed, wanted] of Object.entries({ ...meant, frobnicate: undefined, x: undefined })) {
    t.equal(nearest(typed, names), wanted, typed);
  }
  for (const name of names) t.equal(nearest(name, names), name);
  t.end();
});
