// Draws a dashboard from its JSON and from what Prometheus answered to its queries, with Grafana's
// own published components. `window.BOARD` is {dashboard, answers, from, to}: pictures.py made it.
import {
  createTheme,
  dateTime,
  fieldMatchers,
  FieldType,
  getDisplayProcessor,
  getFieldDisplayName,
  renderTextPanelMarkdown,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from "@grafana/data";
import { BigValue, GlobalStyles, PanelChrome, Table, ThemeContext, TimeSeries } from "@grafana/ui";
import { createRoot } from "react-dom/client";
import { lastValueFrom } from "rxjs";

const { dashboard, answers, from, to } = window.BOARD;
const WIDTH = 1600;
const CELL = 30; // Grafana's height of a grid row, and the gap between panels
const GAP = 8;
const COLUMN = (WIDTH - 2 * GAP + GAP) / 24;
const theme = createTheme({ colors: { mode: "dark" } });
const timeRange = { from: dateTime(from), to: dateTime(to), raw: { from: "", to: "" } };

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map(
    (transformation) => ({ id: transformation.id, name: transformation.name, transformation }),
  ),
);

// --- from an answer of Prometheus to Grafana's data frames

function legend(target, labels) {
  if (target.legendFormat === "__auto") {
    return Object.values(labels).join(", ");
  }
  return target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, name) => labels[name] ?? "");
}

function framesOf(target, series) {
  if (target.format === "table") {
    return [tableOf(target, series)];
  }
  return series.map(({ metric, values }) => {
    const name = legend(target, metric);
    return toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: "Time", type: FieldType.time, values: values.map(([at]) => at * 1000) },
        {
          name: "Value",
          type: FieldType.number,
          labels: metric,
          config: { displayNameFromDS: name },
          values: values.map(([, value]) => Number(value)),
        },
      ],
    });
  });
}

function tableOf(target, series) {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))];
  const last = series.map(({ values }) => values[values.length - 1]);
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, values: last.map(([at]) => at * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        values: series.map(({ metric }) => metric[label] ?? ""),
      })),
      {
        name: target.alone ? "Value" : `Value #${target.refId}`,
        type: FieldType.number,
        values: last.map(([, value]) => Number(value)),
      },
    ],
  });
}

function set(object, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  keys.reduce((inner, key) => (inner[key] ??= {}), object)[last] = value;
}

function configured(frames, { defaults, overrides }) {
  let seriesIndex = 0; // what a palette's colour goes by
  for (const frame of frames) {
    for (const field of frame.fields) {
      const config = { ...structuredClone(defaults), ...field.config };
      for (const { matcher, properties } of overrides) {
        const matches = fieldMatchers.get(matcher.id).get(matcher.options);
        if (matches(field, frame, frames)) {
          properties.forEach(({ id, value }) => set(config, id, structuredClone(value)));
        }
      }
      if (field.type !== FieldType.number) {
        delete config.unit;
        config.custom = { ...config.custom, cellOptions: { type: "auto" } };
      }
      if (field.type === FieldType.number) {
        field.state = { seriesIndex: seriesIndex++ };
      }
      delete config.links;
      field.config = config;
      field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
    }
  }
  return frames;
}

async function dataOf(panel) {
  const targets = panel.targets.map((one) => ({ ...one, alone: panel.targets.length === 1 }));
  let frames = targets.flatMap((one) => framesOf(one, answers[one.expr] ?? []));
  if (panel.transformations) {
    frames = await lastValueFrom(transformDataFrame(panel.transformations, frames));
  }
  return configured(frames, panel.fieldConfig);
}

function filled(text) {
  const chosen = dashboard.templating.list.filter(({ type }) => type === "custom");
  return chosen.reduce((all, { name, current }) => all.replaceAll(`$${name}`, current.value), text);
}

// --- the kinds of panel

function Empty({ panel, height }) {
  const text = panel.fieldConfig?.defaults?.noValue ?? "No data";
  const style = { height, display: "grid", placeItems: "center", color: theme.colors.text.secondary };
  return <div style={style}>{text}</div>;
}

function Stat({ panel, frames, width, height }) {
  const { options } = panel;
  const fields = frames.flatMap((frame) => frame.fields.filter((one) => one.type === FieldType.number));
  const each = width / Math.max(1, fields.length);
  return (
    <div style={{ display: "flex" }}>
      {fields.map((field, index) => {
        const value = field.display(field.values[field.values.length - 1]);
        const title = getFieldDisplayName(field, frames[index], frames);
        return (
          <BigValue
            key={index}
            theme={theme}
            width={each}
            height={height}
            value={{ ...value, title }}
            colorMode={options.colorMode}
            graphMode="none"
            justifyMode={options.justifyMode}
            textMode={options.textMode}
          />
        );
      })}
    </div>
  );
}

function Lines({ panel, frames, width, height }) {
  return (
    <TimeSeries
      frames={frames}
      width={width}
      height={height}
      timeRange={timeRange}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    />
  );
}

function Lined({ panel, frames, width, height }) {
  const sorted = panel.options.sortBy;
  return (
    <Table data={frames[0]} width={width} height={height} cellHeight="sm" initialSortBy={sorted} />
  );
}

// Grafana publishes no heatmap panel: this one is drawn here, from the same frames.
function Heatmap({ frames, width, height }) {
  const bound = (frame) => Number(frame.name.replace("+Inf", "Infinity"));
  const order = [...frames].sort((a, b) => bound(a) - bound(b));
  const up = order.map((frame) => frame.fields[1].values); // counts up to each bound
  const counts = up.map((row, y) => row.map((count, x) => count - (up[y - 1]?.[x] ?? 0)));
  const most = Math.max(...counts.flat(), 1e-9);
  const [left, h] = [60, (height - 4) / order.length];
  const w = (width - left) / Math.max(...counts.map((row) => row.length));
  const name = (frame) => {
    const { text, suffix = "" } = frame.fields[1].display(bound(frame));
    return Number.isFinite(bound(frame)) ? text + suffix : "more";
  };
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily} fontSize="11">
      {order.map((frame, y) => (
        <text key={y} x={left - 8} y={height - (y + 0.3) * h} textAnchor="end" fill="#ccccdc">
          {name(frame)}
        </text>
      ))}
      {counts.map((row, y) =>
        row.map((count, x) => {
          const place = { x: left + x * w, y: height - (y + 1) * h, width: w - 1, height: h - 1 };
          const opacity = 0.15 + 0.85 * Math.sqrt(count / most);
          return count > 1e-9 && <rect key={x} {...place} fill="#5794f2" opacity={opacity} />;
        }),
      )}
    </svg>
  );
}

function Words({ panel }) {
  const html = renderTextPanelMarkdown(panel.options.content);
  return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
}

function AlertList({ height }) {
  const alerts = answers["ALERTS"] ?? [];
  const color = { critical: "#f2495c", warning: "#ff9830", info: "#5794f2" };
  return (
    <ul style={{ height, overflow: "hidden", listStyle: "none" }}>
      {alerts.map(({ metric }, index) => (
        <li key={index} style={{ padding: "4px 0" }}>
          <b style={{ color: color[metric.severity] }}>{metric.alertstate}</b> {metric.alertname}{" "}
          <span style={{ color: theme.colors.text.secondary }}>{metric.gen_ai_request_model}</span>
        </li>
      ))}
    </ul>
  );
}

const KINDS = { stat: Stat, timeseries: Lines, table: Lined, heatmap: Heatmap };

function Body({ panel, frames, width, height }) {
  if (panel.type === "text") {
    return <Words panel={panel} />;
  }
  if (panel.type === "alertlist") {
    return <AlertList height={height} />;
  }
  const Kind = KINDS[panel.type];
  if (!Kind || !frames.some((frame) => frame.length)) {
    return <Empty panel={panel} height={height} />;
  }
  return <Kind panel={panel} frames={frames} width={width} height={height} />;
}

function Panel({ panel, frames }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * COLUMN - GAP, h * (CELL + GAP) - GAP];
  const place = { position: "absolute", left: GAP + x * COLUMN, top: 56 + y * (CELL + GAP) };
  if (panel.type === "row") {
    return <h3 style={{ ...place, margin: 0, fontSize: 16 }}>⌄ {panel.title}</h3>;
  }
  return (
    <div style={place}>
      <PanelChrome title={filled(panel.title)} width={width} height={height}>
        {(innerWidth, innerHeight) => (
          <Body panel={panel} frames={frames} width={innerWidth} height={innerHeight} />
        )}
      </PanelChrome>
    </div>
  );
}

// --- the page

// A collapsed row is drawn open: its panels begin below it.
const panels = dashboard.panels.flatMap((one) => [one, ...(one.panels ?? [])]);
const bottom = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
Promise.all(
  panels.map(async (panel) => ({ panel, frames: panel.targets ? await dataOf(panel) : [] })),
).then((drawn) => {
  document.body.style = `margin:0;width:${WIDTH}px;height:${64 + bottom * (CELL + GAP)}px;
    background:${theme.colors.background.canvas};color:${theme.colors.text.primary};
    font:${theme.typography.fontSize}px ${theme.typography.fontFamily}`;
  createRoot(document.getElementById("root")).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h2 style={{ position: "absolute", left: GAP, top: 12, margin: 0, fontSize: 22 }}>
        {dashboard.title}
      </h2>
      {drawn.map(({ panel, frames }) => (
        <Panel key={panel.id} panel={panel} frames={frames} />
      ))}
    </ThemeContext.Provider>,
  );
});
