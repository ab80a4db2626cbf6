// The emoji shortcodes that operations people use; others stay as they are typed.
const table = {
  white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", x: "❌", negative_squared_cross_mark: "❎",
  warning: "⚠️", rotating_light: "🚨", no_entry: "⛔", no_entry_sign: "🚫", octagonal_sign: "🛑", stop_sign: "🛑", construction: "🚧",
  rewind: "⏪", arrow_backward: "◀️", leftwards_arrow_with_hook: "↩️", arrow_right_hook: "↪️", arrow_right: "➡️", arrow_left: "⬅️",
  arrow_up: "⬆️", arrow_down: "⬇️", arrow_forward: "▶️", fast_forward: "⏩", arrows_counterclockwise: "🔄", repeat: "🔁",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", alarm_clock: "⏰", clock1: "🕐", clock3: "🕒", watch: "⌚",
  lock: "🔒", unlock: "🔓", closed_lock_with_key: "🔐", key: "🔑", shield: "🛡️", eyes: "👀", eye: "👁️", mag: "🔍",
  rocket: "🚀", ship: "🚢", whale: "🐳", package: "📦", hammer_and_wrench: "🛠️", wrench: "🔧", gear: "⚙️", toolbox: "🧰",
  memo: "📝", pencil: "📝", pencil2: "✏️", clipboard: "📋", page_facing_up: "📄", scroll: "📜", bookmark_tabs: "📑", paperclip: "📎",
  link: "🔗", pushpin: "📌", label: "🏷️", bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉",
  thermometer: "🌡️", stethoscope: "🩺", heartbeat: "💓", heart: "❤️", green_heart: "💚", fire: "🔥", fire_engine: "🚒",
  fire_extinguisher: "🧯", boom: "💥", bug: "🐛", ambulance: "🚑", tada: "🎉", sparkles: "✨", star: "⭐", zap: "⚡", bulb: "💡",
  bell: "🔔", no_bell: "🔕", mega: "📣", loudspeaker: "📢", speech_balloon: "💬", thought_balloon: "💭", email: "✉️", wave: "👋",
  thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", ok_hand: "👌", clap: "👏", pray: "🙏", raised_hands: "🙌", muscle: "💪",
  point_right: "👉", point_left: "👈", point_up: "☝️", point_down: "👇", hand: "✋", raised_hand: "✋", vertical_traffic_light: "🚦",
  smile: "😄", slightly_smiling_face: "🙂", thinking_face: "🤔", sweat_smile: "😅", cry: "😢", scream: "😱", sob: "😭", relieved: "😌",
  large_green_circle: "🟢", green_circle: "🟢", red_circle: "🔴", large_yellow_circle: "🟡", large_orange_circle: "🟠",
  large_blue_circle: "🔵", white_circle: "⚪️", black_circle: "⚫️", large_green_square: "🟩", large_red_square: "🟥",
  question: "❓", grey_question: "❔", exclamation: "❗", grey_exclamation: "❕", information_source: "ℹ️", new: "🆕", free: "🆓",
  one: "1️⃣", two: "2️⃣", three: "3️⃣", four: "4️⃣", five: "5️⃣", six: "6️⃣", seven: "7️⃣", robot_face: "🤖", bust_in_silhouette: "👤",
  busts_in_silhouette: "👥", technologist: "🧑‍💻", globe_with_meridians: "🌐", satellite: "🛰️", floppy_disk: "💾", file_cabinet: "🗄️",
  card_file_box: "🗃️", wastebasket: "🗑️", crystal_ball: "🔮", checkered_flag: "🏁", triangular_flag_on_post: "🚩", snowflake: "❄️",
};

// emoji gives the character of a shortcode without its colons; undefined for one that isn't known.
export const emoji = (name) => (Object.hasOwn(table, name) ? table[name] : undefined);
