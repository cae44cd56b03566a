// Line icons, drawn as SVG nodes.

const NS = "http://www.w3.org/2000/svg";
const PATHS = {
  hash: "M9 4 7 20M17 4l-2 16M4 9h16M3.5 15h16",
  send: "M4 12 3 4l18 8-18 8 1-8Zm0 0h8",
  close: "M6 6l12 12M18 6 6 18",
  thread: "M4 5h16v11H9l-5 4V5Z",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5c1 1.6 2.200 2.200 3.500 2.200s2.500-.6 3.500-2.200M9 9.500v.5M15 9.500v.5",
  more: "M12 5.500v.01M12 12v.01M12 18.500v.01",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  down: "M6 9l6 6 6-6",
  menu: "M4 6h16M4 12h16M4 18h16",
  plus: "M12 5v14M5 12h14",
  wire: "M3 12h4l3-8 4 16 3-8h4",
  bell: "M6 10a6 6 0 1 1 12 0c0 5 2 6 2 6H4s2-1 2-6ZM10 20h4",
  mute: "M6 10a6 6 0 0 1 9.500-4.900M18 10c0 5 2 6 2 6H8M10 20h4M4 4l16 16",
  board: "M4 4h4.500v16H4zM10 4h4.500v10H10zM16 4h4v13h-4z",
  chat: "M4 5h16v11H9l-5 4V5Z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  check: "M5 12.500l4.500 4.500L19 7",
  comment: "M4 5h16v11H9l-5 4V5Z",
  robot: "M6 9h12v9H6zM12 5v4M12 4v.01M9.500 13v.5M14.500 13v.5M3.500 12v3M20.500 12v3",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700L12 17",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  back: "M15 5l-7 7 7 7",
  highest: "M5 12l7-6 7 6M5 19l7-6 7 6",
  high: "M5 15l7-6 7 6",
  medium: "M5 9h14M5 15h14",
  low: "M5 9l7 6 7-6",
  lowest: "M5 5l7 6 7-6M5 12l7 6 7-6",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
};

const BOLD = new Set(["more", "check", "highest", "high", "medium", "low", "lowest"]);

export function icon(name, size = 18) {
  const svg = document.createElementNS(NS, "svg");
  const attributes = {
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": BOLD.has(name) ? 2.8 : 1.8, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
