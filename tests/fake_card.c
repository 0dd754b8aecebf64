/* A sound card for ALSA that is not there: it has one sample format, one rate and its own channel count only,
   and plays a raw 16-bit mono file over and over on one of its channels, or on all (hot -1).

   pcm_type.kwsd_fake { lib "FOLDER/libasound_module_pcm_kwsd_fake.so" }
   pcm.NAME { type kwsd_fake state "FOLDER" audio "FILE" format S32_LE rate 48000 channels 2 most_channels 2 hot 1 }

   Files in the state folder break it:
   busy, unplugged: it cannot be opened   hang: opening waits until the file is gone   hang_close: so does closing
   gone: it fails while it is read        stall: no audio comes                        overrun: once, audio is lost */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <stdint.h>
#include <sys/timerfd.h>

struct card {
  snd_pcm_ioplug_t io;
  char state[512];
  int16_t *audio;
  size_t length, at;
  unsigned rate, channels;
  int hot, timer;
  snd_pcm_format_t format;
  uint64_t began;
  snd_pcm_sframes_t taken;
};

static int broken(const char *state, const char *how) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", state, how);
  return access(path, F_OK) == 0;
}

static snd_pcm_sframes_t recorded(struct card *card) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (broken(card->state, "stall")) return card->taken;
  return (now.tv_sec * 1000000000ull + now.tv_nsec - card->began) * (card->rate / 1e9);
}

static int start(snd_pcm_ioplug_t *io) {
  struct card *card = io->private_data;
  struct timespec now;
  struct itimerspec every = {{0, 10000000}, {0, 10000000}};
  clock_gettime(CLOCK_MONOTONIC, &now);
  card->began = now.tv_sec * 1000000000ull + now.tv_nsec;
  card->taken = 0;
  return timerfd_settime(card->timer, 0, &every, NULL);
}

static int stop(snd_pcm_ioplug_t *io) {
  struct itimerspec never = {{0, 0}, {0, 0}};
  return timerfd_settime(((struct card *)io->private_data)->timer, 0, &never, NULL);
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *io) {
  struct card *card = io->private_data;
  char path[600];
  if (broken(card->state, "gone")) return -ENODEV;
  snprintf(path, sizeof path, "%s/overrun", card->state);
  if (unlink(path) == 0) return -EPIPE;
  snd_pcm_sframes_t total = recorded(card);
  if (total - card->taken > (snd_pcm_sframes_t)io->buffer_size) return -EPIPE;
  return total % io->buffer_size;
}

static void put(snd_pcm_format_t format, unsigned char *to, int16_t value) {
  int32_t wide = value * 65536;
  float real = value / 32768.0f;
  switch (format) {
    case SND_PCM_FORMAT_U8: *to = (value >> 8) + 128; break;
    case SND_PCM_FORMAT_S16_LE: memcpy(to, &value, 2); break;
    case SND_PCM_FORMAT_S24_3LE: memcpy(to, (char *)&wide + 1, 3); break;
    case SND_PCM_FORMAT_S24_LE: wide >>= 8; memcpy(to, &wide, 4); break;
    case SND_PCM_FORMAT_S32_LE: memcpy(to, &wide, 4); break;
    case SND_PCM_FORMAT_FLOAT_LE: memcpy(to, &real, 4); break;
    default: break;
  }
}

static snd_pcm_sframes_t transfer(
    snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset, snd_pcm_uframes_t count) {
  struct card *card = io->private_data;
  if (broken(card->state, "gone")) return -ENODEV;
  for (snd_pcm_uframes_t i = offset; i < offset + count; i++) {
    int16_t value = card->length ? card->audio[card->at++ % card->length] : 0;
    for (unsigned c = 0; c < io->channels; c++)
      put(card->format, (unsigned char *)areas[c].addr + (areas[c].first + i * areas[c].step) / 8,
          card->hot < 0 || (unsigned)card->hot == c ? value : 0);
  }
  card->taken += count;
  return count;
}

static int ready(snd_pcm_ioplug_t *io, struct pollfd *polled, unsigned count, unsigned short *events) {
  struct card *card = io->private_data;
  uint64_t ticks;
  (void)count;
  *events = 0;
  if (!(polled->revents & POLLIN)) return 0;
  if (read(card->timer, &ticks, sizeof ticks) < 0) return 0;
  if (recorded(card) - card->taken >= (snd_pcm_sframes_t)io->period_size) *events = POLLIN;
  return 0;
}

static int close_card(snd_pcm_ioplug_t *io) {
  struct card *card = io->private_data;
  while (broken(card->state, "hang_close")) usleep(10000);
  close(card->timer);
  free(card->audio);
  free(card);
  return 0;
}

static const snd_pcm_ioplug_callback_t CALLBACKS = {
  .start = start, .stop = stop, .pointer = pointer, .transfer = transfer, .poll_revents = ready, .close = close_card,
};

SND_PCM_PLUGIN_DEFINE_FUNC(kwsd_fake) {
  snd_config_iterator_t i, next;
  const char *state = "", *audio = "", *format = "S16_LE";
  long rate = 48000, channels = 1, most = 0, hot = -1;
  (void)root;
  snd_config_for_each(i, next, conf) {
    snd_config_t *field = snd_config_iterator_entry(i);
    const char *id;
    if (snd_config_get_id(field, &id) < 0) continue;
    if (!strcmp(id, "state")) snd_config_get_string(field, &state);
    if (!strcmp(id, "audio")) snd_config_get_string(field, &audio);
    if (!strcmp(id, "format")) snd_config_get_string(field, &format);
    if (!strcmp(id, "rate")) snd_config_get_integer(field, &rate);
    if (!strcmp(id, "channels")) snd_config_get_integer(field, &channels);
    if (!strcmp(id, "most_channels")) snd_config_get_integer(field, &most);
    if (!strcmp(id, "hot")) snd_config_get_integer(field, &hot);
  }
  while (broken(state, "hang")) usleep(10000);
  if (stream != SND_PCM_STREAM_CAPTURE || broken(state, "unplugged")) return -ENODEV;
  if (broken(state, "busy")) return -EBUSY;

  struct card *card = calloc(1, sizeof *card);
  snprintf(card->state, sizeof card->state, "%s", state);
  card->rate = rate;
  card->hot = hot;
  card->format = snd_pcm_format_value(format);
  FILE *file = *audio ? fopen(audio, "rb") : NULL;
  if (file) {
    fseek(file, 0, SEEK_END);
    card->length = ftell(file) / 2;
    rewind(file);
    card->audio = malloc(2 * card->length);
    if (fread(card->audio, 2, card->length, file) != card->length) card->length = 0;
    fclose(file);
  }
  card->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  card->io.version = SND_PCM_IOPLUG_VERSION;
  card->io.name = "kwsd's fake card";
  card->io.poll_fd = card->timer;
  card->io.poll_events = POLLIN;
  card->io.callback = &CALLBACKS;
  card->io.private_data = card;
  int error = snd_pcm_ioplug_create(&card->io, name, stream, mode);
  if (error < 0) return error;
  unsigned accesses[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED}, formats[] = {card->format};
  snd_pcm_ioplug_set_param_list(&card->io, SND_PCM_IOPLUG_HW_ACCESS, 2, accesses);
  snd_pcm_ioplug_set_param_list(&card->io, SND_PCM_IOPLUG_HW_FORMAT, 1, formats);
  snd_pcm_ioplug_set_param_minmax(&card->io, SND_PCM_IOPLUG_HW_CHANNELS, channels, most > channels ? most : channels);
  snd_pcm_ioplug_set_param_minmax(&card->io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
  snd_pcm_ioplug_set_param_minmax(&card->io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
  snd_pcm_ioplug_set_param_minmax(&card->io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 1 << 20);
  snd_pcm_ioplug_set_param_minmax(&card->io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 1024, 1 << 22);
  *pcmp = card->io.pcm;
  return 0;
}
SND_PCM_PLUGIN_SYMBOL(kwsd_fake);
