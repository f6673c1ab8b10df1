/**
 * Replaces `${VAR}` and `${VAR:-default}` as MCP clients do: the default also stands in for an empty variable.
 * Names of variables that are neither set nor given a default come back in `missing`; a lone `$` stays as it is.
 */
export function expandVariables(
  text: string,
  env: Record<string, string | undefined>,
): { text: string; missing: string[] } {
  const missing: string[] = [];
  // One pass: what a variable holds is never expanded again.
  const expanded = text.replace(variable, (_match, name: string, fallback: string | undefined) => {
    const value = env[name];
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value === undefined) missing.push(name);
    return value ?? '';
  });
  return { text: expanded, missing };
}

const variable = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
