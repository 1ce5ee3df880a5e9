// The page's first module. A stub, until the viewer takes its place.

const page = document.getElementById("page");
if (page) {
  page.textContent = "This server's page shows no messages yet; codechat watch does.";
}
