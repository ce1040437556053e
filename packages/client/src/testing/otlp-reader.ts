/** Protobuf read without a schema, and of it what OpenTelemetry's MetricsData means. Not the code that writes it, so that the two agree. */
export interface ReadMetric {
  readonly name: string;
  readonly type: "sum" | "gauge";
  readonly temporality: number | undefined;
  readonly points: readonly { readonly value: number; readonly attributes: Readonly<Record<string, string>> }[];
}

type Field = number | Buffer;

export function metricsIn(bytes: Uint8Array): {
  readonly resource: Readonly<Record<string, string>>;
  readonly metrics: readonly ReadMetric[];
} {
  const resourceMetrics = fields(one(fields(Buffer.from(bytes)), 1));
  const metrics = (resourceMetrics.get(2) ?? []).flatMap((scope) => fields(scope).get(2) ?? []).map(readMetric);
  return { resource: attributes(fields(one(resourceMetrics, 1)).get(1)), metrics };
}

function readMetric(bytes: Field): ReadMetric {
  const metric = fields(bytes);
  const type = metric.has(7) ? "sum" : "gauge";
  const data = fields(one(metric, type === "sum" ? 7 : 5));
  const temporality = data.get(2)?.[0];
  const points = (data.get(1) ?? []).map((point) => {
    const read = fields(point);
    return { value: (one(read, 4) as Buffer).readDoubleLE(), attributes: attributes(read.get(7)) };
  });
  return { name: text(one(metric, 1)), type, temporality: temporality as number | undefined, points };
}

function attributes(pairs: readonly Field[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const read = fields(pair);
      return [text(one(read, 1)), text(one(fields(one(read, 2)), 1))];
    }),
  );
}

function one(read: ReadonlyMap<number, readonly Field[]>, field: number): Field {
  const [value] = read.get(field) ?? [];
  if (value === undefined) throw new Error(`field ${field} is missing`);
  return value;
}

function text(value: Field): string {
  return (value as Buffer).toString();
}

function fields(value: Field): Map<number, Field[]> {
  const bytes = value as Buffer;
  const found = new Map<number, Field[]>();
  let at = 0;
  const varint = (): number => {
    for (let sum = 0, factor = 1; ; factor *= 128) {
      const byte = bytes.readUInt8(at++);
      sum += (byte % 128) * factor;
      if (byte < 128) return sum;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    if (at > bytes.length) throw new Error("a length is wrong");
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = tag % 8 === 0 ? varint() : take(tag % 8 === 1 ? 8 : varint());
    const number = Math.floor(tag / 8);
    found.set(number, [...(found.get(number) ?? []), field]);
  }
  return found;
}
