// A sensible small set of Slack's emoji short codes. Unknown ones stay text, as in Slack.

const GLYPHS = Object.fromEntries(`
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|white_check_mark ✅|heavy_check_mark ✔️|x ❌|warning ⚠️|rotating_light 🚨|fire 🔥|eyes 👀|bell 🔔
no_bell 🔕|mute 🔇|speaker 🔈|red_circle 🔴|large_red_circle 🔴|large_yellow_circle 🟡|large_orange_circle 🟠|large_green_circle 🟢
large_blue_circle 🔵|large_purple_circle 🟣|white_circle ⚪|black_circle ⚫|large_red_square 🟥|large_green_square 🟩|large_yellow_square 🟨
label 🏷️|ticket 🎫|memo 📝|clipboard 📋|bookmark 🔖|pushpin 📌|paperclip 📎|link 🔗|mag 🔍|lock 🔒|unlock 🔓|key 🔑|gear ⚙️|wrench 🔧
hammer 🔨|hammer_and_wrench 🛠️|toolbox 🧰|package 📦|bar_chart 📊|chart_with_upwards_trend 📈|chart_with_downwards_trend 📉|calendar 📅|date 📅
clock1 🕐|stopwatch ⏱️|alarm_clock ⏰|hourglass ⌛|hourglass_flowing_sand ⏳|arrows_counterclockwise 🔄|repeat 🔁|arrow_right ➡️|arrow_left ⬅️
arrow_up ⬆️|arrow_down ⬇️|double_vertical_bar ⏸️|pause_button ⏸️|arrow_forward ▶️|black_square_for_stop ⏹️|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑
construction 🚧|skull 💀|ghost 👻|robot_face 🤖|wave 👋|pray 🙏|clap 👏|raised_hands 🙌|muscle 💪|ok_hand 👌|point_right 👉|point_up ☝️
heart ❤️|sparkles ✨|star ⭐|tada 🎉|rocket 🚀|boom 💥|zap ⚡|bulb 💡|hourglass_done ⌛|question ❓|exclamation ❗|grey_question ❔|information_source ℹ️
smile 😄|slightly_smiling_face 🙂|grinning 😀|joy 😂|wink 😉|thinking_face 🤔|sob 😭|cry 😢|rage 😡|sweat_smile 😅|sunglasses 😎|see_no_evil 🙈
coffee ☕|bug 🐛|computer 💻|phone ☎️|iphone 📱|email 📧|envelope 📧|inbox_tray 📥|outbox_tray 📤|speech_balloon 💬|thread 🧵|books 📚|book 📖
moneybag 💰|credit_card 💳|receipt 🧾|truck 🚚|scroll 📜|traffic_light 🚦|vertical_traffic_light 🚦|railway_track 🛤️|satellite_antenna 📡|shield 🛡️
file_folder 📁|open_file_folder 📂|card_index_dividers 🗂️|wastebasket 🗑️|broom 🧹|sun_with_face 🌞|sunny ☀️|cloud ☁️|snowflake ❄️|100 💯|checkered_flag 🏁
bust_in_silhouette 👤|busts_in_silhouette 👥|handshake 🤝|loudspeaker 📢|mega 📣|heavy_plus_sign ➕|heavy_minus_sign ➖|black_small_square ▪️|small_blue_diamond 🔹|small_orange_diamond 🔸
raised_hand ✋|leftwards_arrow_with_hook ↩️|loud_sound 🔊|new 🆕|small_red_triangle 🔺|small_red_triangle_down 🔻|telescope 🔭|zzz 💤
`.trim().split(/[|\n]/).map((pair) => pair.split(" ")));

export const QUICK = ["white_check_mark", "eyes", "raised_hands"];
export const PICKER = ["+1", "white_check_mark", "eyes", "raised_hands", "tada", "rocket", "heart", "thinking_face", "fire", "pray", "bulb", "100"];

/** The character for a short code, or null. */
export const glyph = (name) => (Object.hasOwn(GLYPHS, name) ? GLYPHS[name] : null);

export const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => glyph(name) ?? whole);
