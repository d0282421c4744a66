/* The process that works in a mounted folder for the tests: see harness.ts. */
import fs from "node:fs";
import { join } from "node:path";

const directory = process.argv[2];
const tools = {
  directory,
  fs,
  path: (name) => join(directory, name),
  code(act) {
    try {
      act();
      return "none";
    } catch (error) {
      return error.code ?? String(error);
    }
  },
};

process.on("message", async ({ id, task, more }) => {
  try {
    const act = (0, eval)(`(${task})`);
    process.send({ id, value: await act(tools, ...more) });
  } catch (error) {
    process.send({ id, error: String(error.stack ?? error) });
  }
});
