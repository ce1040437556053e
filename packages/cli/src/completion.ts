import type { Command, Option } from "commander";

/** What can follow one command: the words that complete it. */
interface Level {
  readonly path: string; // "samsa topic"
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** Options that take a value, with the values there are where they are few. */
  readonly valued: ReadonlyMap<string, readonly string[]>;
}

interface Word {
  readonly word: string;
  readonly about: string;
}

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A script for the shell that completes commands, options and their choices; what it cannot know it leaves to file names. */
export function completionScript(shell: Shell, program: Command): string {
  const levels = [...walk(program, program.name())];
  switch (shell) {
    case "bash":
      return bash(levels);
    case "zsh":
      return zsh(levels);
    case "fish":
      return fish(levels);
  }
}

function* walk(command: Command, path: string): Generator<Level> {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const options = help.visibleOptions(command);
  yield {
    path,
    commands: commands.map((sub) => ({ word: sub.name(), about: firstClause(sub.description()) })),
    options: options.flatMap((option) =>
      flagsOf(option).map((word) => ({ word, about: firstClause(option.description) })),
    ),
    valued: new Map(
      options
        .filter((option) => option.required || option.optional)
        .flatMap((option) => flagsOf(option).map((flag) => [flag, option.argChoices ?? []] as const)),
    ),
  };
  for (const sub of commands) {
    if (sub.name() !== "help") yield* walk(sub, `${path} ${sub.name()}`);
  }
}

function flagsOf({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function firstClause(text: string): string {
  return (text.split(/[;:(]/u)[0] ?? "").trim();
}

/** Finds the level by the words before the cursor that are no options, as far as they are commands. */
function bash(levels: readonly Level[]): string {
  const cases = levels.map(({ path, commands, options, valued }) => {
    const values = [...valued].filter(([, choices]) => choices.length > 0);
    const choices = values.map(([flag, words]) => `        ${flag}) words="${words.join(" ")}"; values=1 ;;`);
    const taking = [...valued].filter(([, words]) => words.length === 0).map(([flag]) => flag);
    const files = taking.length === 0 ? [] : [`        ${taking.join("|")}) return ;;`];
    return [
      `    "${path}")`,
      ...(choices.length + files.length === 0 ? [] : [`      case "$previous" in`, ...choices, ...files, "      esac"]),
      `      [ -n "$values" ] || words="${[...commands, ...options].map(({ word }) => word).join(" ")}" ;;`,
    ].join("\n");
  });
  const paths = levels.map(({ path }) => `"${path}"`).join("|");
  return `# bash completion of samsa: eval "$(samsa completion bash)"
_samsa() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="samsa" words="" values="" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "$path \${COMP_WORDS[at]}" in ${paths}) path="$path \${COMP_WORDS[at]}" ;; esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _samsa samsa
`;
}

function zsh(levels: readonly Level[]): string {
  const entry = ({ word, about }: Word): string => quoted(`${word.replaceAll(":", String.raw`\:`)}:${about}`);
  const cases = levels.map(({ path, commands, options, valued }) => {
    const choices = [...valued]
      .filter(([, words]) => words.length > 0)
      .map(([flag, words]) => `        ${flag}) compadd -- ${words.join(" ")}; return ;;`);
    const taking = [...valued].filter(([, words]) => words.length === 0).map(([flag]) => flag);
    const files = taking.length === 0 ? [] : [`        ${taking.join("|")}) _files; return ;;`];
    return [
      `    "${path}")`,
      ...(choices.length + files.length === 0 ? [] : ['      case "$previous" in', ...choices, ...files, "      esac"]),
      `      entries=(${[...commands, ...options].map(entry).join(" ")}) ;;`,
    ].join("\n");
  });
  const paths = levels.map(({ path }) => `"${path}"`).join("|");
  return `#compdef samsa
# zsh completion of samsa: samsa completion zsh > "\${fpath[1]}/_samsa", or eval "$(samsa completion zsh)" after compinit
_samsa() {
  local way="samsa" previous="\${words[CURRENT-1]}" at
  local -a entries
  for ((at = 2; at < CURRENT; at++)); do
    case "$way \${words[at]}" in ${paths}) way="$way \${words[at]}" ;; esac
  done
  case "$way" in
${cases.join("\n")}
  esac
  _describe samsa entries
  _files
}
if [ "\${funcstack[1]}" = "_samsa" ]; then _samsa "$@"; else compdef _samsa samsa; fi
`;
}

function fish(levels: readonly Level[]): string {
  const paths = levels.map(({ path }) => quoted(path)).join(" ");
  const lines = levels.flatMap(({ path, commands, options, valued }) => {
    const here = `-n ${quoted(`__samsa_at ${quoted(path)}`)}`;
    const subcommands = commands.map(({ word, about }) => `complete -c samsa ${here} -a ${word} -d ${quoted(about)}`);
    const flags = options.map(({ word, about }) => {
      const flag = word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
      const choices = valued.get(word);
      const values = choices === undefined ? "" : choices.length === 0 ? " -r" : ` -x -a ${quoted(choices.join(" "))}`;
      return `complete -c samsa ${here} ${flag}${values} -d ${quoted(about)}`;
    });
    return [...subcommands, ...flags];
  });
  return `# fish completion of samsa: samsa completion fish > ~/.config/fish/completions/samsa.fish
function __samsa_at
    set -l path samsa
    for word in (commandline -opc)[2..]
        contains -- "$path $word" ${paths}; and set path "$path $word"
    end
    test "$path" = "$argv"
end
${lines.join("\n")}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
