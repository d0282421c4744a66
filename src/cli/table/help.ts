/** `--help`, from the command table. */
import { commandGroups, commands } from "./commands.ts";
import { type CommandSpec, type OptionSpec, optionUsage } from "./spec.ts";

const width = 78;
const optionColumn = 28;

export function overview(): string {
  const names = commands.map((command) => command.name.length);
  const column = Math.max(...names) + 2;
  const row = ({ name, summary }: CommandSpec) => `  ${name.padEnd(column)}${summary}`;
  return [
    "usage: hive COMMAND [OPTIONS]",
    "",
    "A private drive whose bytes live on other people's machines.",
    "",
    ...commandGroups.flatMap(({ about, commands }) => [`${about}:`, ...commands.map(row), ""]),
    "`hive COMMAND --help` tells more; hive(1) and hive(7) tell all.",
    "",
  ].join("\n");
}

export function commandHelp(command: CommandSpec): string {
  const shown = command.options.filter((option) => option.hidden !== true);
  const options = shown.flatMap((option) => {
    const lines = wrap(option.summary, width - optionColumn);
    return lines.map((line, at) => {
      return (at === 0 ? `  ${optionUsage(option)}` : "").padEnd(optionColumn - 1) + ` ${line}`;
    });
  });
  // An option is not parted from its value.
  const whole = synopsis(command).replace(/\[-[^\]]*\]/g, (option) => option.replace(" ", "\0"));
  const synopsisLines = wrap(whole, width - "usage: ".length);
  const [first, ...rest] = synopsisLines.map((line) => line.replaceAll("\0", " "));
  return [
    `usage: ${first}`,
    ...rest.map((line) => `         ${line}`),
    "",
    ...wrap(`${command.summary}. ${command.details}`.trim(), width),
    ...(options.length > 0 ? ["", ...options] : []),
    "",
  ].join("\n");
}

function synopsis(command: CommandSpec): string {
  const shown = command.options.filter((option) => option.hidden !== true);
  const options = shown.map(optionWord).join(" ");
  return ["hive", command.name, command.operands, options].filter((word) => word !== "").join(" ");
}

function optionWord(option: OptionSpec): string {
  const name = option.short === undefined ? `--${option.name}` : `-${option.short}`;
  const word = option.value === undefined ? name : `${name} ${option.value}`;
  return option.isNeeded === true ? word : `[${word}]`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
