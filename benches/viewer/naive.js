// The naive page: the simplest one that shows a stream.

export const NAIVE = `<!doctype html>
<meta charset="utf-8">
<title>naive</title>
<style>
body { font: 14px/20px monospace; margin: 0; }
#list { height: 560px; overflow: auto; }
</style>
<input id="search">
<span id="state"></span>
<div id="list"></div>
<script>
const list = document.getElementById("list");
const source = new EventSource(location.hash.slice(1));
source.onopen = () => { document.getElementById("state").textContent = "live"; };
source.addEventListener("debug", ({ data }) => {
  const row = document.createElement("div");
  row.textContent = data;
  list.append(row);
  list.scrollTop = list.scrollHeight;
});
</script>
`;
