/* Where each field of each struct lies, as programs that were compiled long ago have it. Only ever grows. */
#include <madang.h>

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define ENDS_AT(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

AT(madang_queue_options, struct_size, 0);
AT(madang_queue_options, flags, 4);
AT(madang_queue_options, capacity, 8);
AT(madang_queue_options, max_messages, 16);
AT(madang_queue_options, max_participants, 24);
AT(madang_queue_options, mode, 28);
AT(madang_queue_options, create, 32);
AT(madang_queue_options, deliveries, 36);
AT(madang_queue_options, dead_letters, 40);
ENDS_AT(madang_queue_options, 48);

AT(madang_queue_status, struct_size, 0);
AT(madang_queue_status, max_participants, 4);
AT(madang_queue_status, capacity, 8);
AT(madang_queue_status, max_messages, 16);
AT(madang_queue_status, bytes, 24);
AT(madang_queue_status, messages, 32);
AT(madang_queue_status, sent, 40);
AT(madang_queue_status, received, 48);
AT(madang_queue_status, repairs, 56);
AT(madang_queue_status, allocated, 64);
AT(madang_queue_status, participants, 72);
AT(madang_queue_status, mode, 76);
AT(madang_queue_status, uid, 80);
AT(madang_queue_status, gid, 84);
AT(madang_queue_status, leased, 88);
ENDS_AT(madang_queue_status, 96);

AT(madang_message, struct_size, 0);
AT(madang_message, flags, 4);
AT(madang_message, type, 8);
AT(madang_message, length, 16);
AT(madang_message, sequence, 24);
AT(madang_message, redelivered, 32);
AT(madang_message, reserved, 36);
ENDS_AT(madang_message, 40);

AT(madang_participant, struct_size, 0);
AT(madang_participant, flags, 4);
AT(madang_participant, joined_ns, 8);
AT(madang_participant, pid, 16);
AT(madang_participant, reserved, 20);
ENDS_AT(madang_participant, 24);

AT(madang_listed, struct_size, 0);
AT(madang_listed, kind, 4);
AT(madang_listed, size, 8);
AT(madang_listed, allocated, 16);
AT(madang_listed, mode, 24);
AT(madang_listed, uid, 28);
AT(madang_listed, gid, 32);
AT(madang_listed, error, 36);
AT(madang_listed, name, 40);
ENDS_AT(madang_listed, 296);

AT(madang_left_over, struct_size, 0);
AT(madang_left_over, flags, 4);
AT(madang_left_over, files, 8);
AT(madang_left_over, bytes, 16);
AT(madang_left_over, others, 24);
ENDS_AT(madang_left_over, 32);

AT(madang_item, type, 0);
AT(madang_item, data, 8);
AT(madang_item, length, 8 + sizeof(void *));
ENDS_AT(madang_item, 8 + sizeof(void *) + sizeof(size_t));

AT(madang_segment_options, struct_size, 0);
AT(madang_segment_options, flags, 4);
AT(madang_segment_options, length, 8);
AT(madang_segment_options, mode, 16);
AT(madang_segment_options, create, 20);
ENDS_AT(madang_segment_options, 24);

AT(madang_pipe_options, struct_size, 0);
AT(madang_pipe_options, flags, 4);
AT(madang_pipe_options, capacity, 8);
ENDS_AT(madang_pipe_options, 16);

AT(madang_fifo_options, struct_size, 0);
AT(madang_fifo_options, flags, 4);
AT(madang_fifo_options, mode, 8);
AT(madang_fifo_options, create, 12);
ENDS_AT(madang_fifo_options, 16);

AT(madang_file_options, struct_size, 0);
AT(madang_file_options, flags, 4);
AT(madang_file_options, length, 8);
AT(madang_file_options, mode, 16);
AT(madang_file_options, create, 20);
ENDS_AT(madang_file_options, 24);

AT(madang_file_holder, struct_size, 0);
AT(madang_file_holder, flags, 4);
AT(madang_file_holder, start, 8);
AT(madang_file_holder, length, 16);
AT(madang_file_holder, pid, 24);
AT(madang_file_holder, reserved, 28);
ENDS_AT(madang_file_holder, 32);
AT(madang_posix_listed, struct_size, 0);
AT(madang_posix_listed, mode, 4);
AT(madang_posix_listed, uid, 8);
AT(madang_posix_listed, gid, 12);
AT(madang_posix_listed, size, 16);
AT(madang_posix_listed, reserved, 24);
AT(madang_posix_listed, name, 32);
ENDS_AT(madang_posix_listed, 288);

AT(madang_posix_mq_options, struct_size, 0);
AT(madang_posix_mq_options, flags, 4);
AT(madang_posix_mq_options, max_messages, 8);
AT(madang_posix_mq_options, max_message_size, 16);
AT(madang_posix_mq_options, mode, 24);
AT(madang_posix_mq_options, create, 28);
ENDS_AT(madang_posix_mq_options, 32);

AT(madang_posix_mq_status, struct_size, 0);
AT(madang_posix_mq_status, mode, 4);
AT(madang_posix_mq_status, uid, 8);
AT(madang_posix_mq_status, gid, 12);
AT(madang_posix_mq_status, max_messages, 16);
AT(madang_posix_mq_status, max_message_size, 24);
AT(madang_posix_mq_status, messages, 32);
AT(madang_posix_mq_status, bytes, 40);
AT(madang_posix_mq_status, notified_pid, 48);
AT(madang_posix_mq_status, reserved, 52);
ENDS_AT(madang_posix_mq_status, 56);

AT(madang_posix_shm_options, struct_size, 0);
AT(madang_posix_shm_options, flags, 4);
AT(madang_posix_shm_options, size, 8);
AT(madang_posix_shm_options, mode, 16);
AT(madang_posix_shm_options, create, 20);
ENDS_AT(madang_posix_shm_options, 24);

AT(madang_posix_shm_status, struct_size, 0);
AT(madang_posix_shm_status, mode, 4);
AT(madang_posix_shm_status, uid, 8);
AT(madang_posix_shm_status, gid, 12);
AT(madang_posix_shm_status, size, 16);
AT(madang_posix_shm_status, allocated, 24);
AT(madang_posix_shm_status, is_unlinked, 32);
AT(madang_posix_shm_status, reserved, 36);
ENDS_AT(madang_posix_shm_status, 40);

AT(madang_posix_sem_options, struct_size, 0);
AT(madang_posix_sem_options, value, 4);
AT(madang_posix_sem_options, mode, 8);
AT(madang_posix_sem_options, create, 12);
ENDS_AT(madang_posix_sem_options, 16);

AT(madang_posix_sem_status, struct_size, 0);
AT(madang_posix_sem_status, value, 4);
AT(madang_posix_sem_status, mode, 8);
AT(madang_posix_sem_status, uid, 12);
AT(madang_posix_sem_status, gid, 16);
AT(madang_posix_sem_status, reserved, 20);
ENDS_AT(madang_posix_sem_status, 24);

AT(madang_memfd_options, struct_size, 0);
AT(madang_memfd_options, flags, 4);
AT(madang_memfd_options, size, 8);
AT(madang_memfd_options, huge_page_size, 16);
ENDS_AT(madang_memfd_options, 24);

AT(madang_operation, index, 0);
AT(madang_operation, delta, 4);
AT(madang_operation, flags, 8);
ENDS_AT(madang_operation, 12);

AT(madang_semaphore_set_options, struct_size, 0);
AT(madang_semaphore_set_options, flags, 4);
AT(madang_semaphore_set_options, values, 8);
AT(madang_semaphore_set_options, semaphores, 16);
AT(madang_semaphore_set_options, max_value, 20);
AT(madang_semaphore_set_options, max_participants, 24);
AT(madang_semaphore_set_options, mode, 28);
AT(madang_semaphore_set_options, create, 32);
AT(madang_semaphore_set_options, reserved, 36);
ENDS_AT(madang_semaphore_set_options, 40);

AT(madang_semaphore_set_status, struct_size, 0);
AT(madang_semaphore_set_status, semaphores, 4);
AT(madang_semaphore_set_status, max_value, 8);
AT(madang_semaphore_set_status, max_participants, 12);
AT(madang_semaphore_set_status, repairs, 16);
AT(madang_semaphore_set_status, allocated, 24);
AT(madang_semaphore_set_status, participants, 32);
AT(madang_semaphore_set_status, mode, 36);
AT(madang_semaphore_set_status, uid, 40);
AT(madang_semaphore_set_status, gid, 44);
ENDS_AT(madang_semaphore_set_status, 48);

AT(madang_sysv_msg_options, struct_size, 0);
AT(madang_sysv_msg_options, mode, 4);
AT(madang_sysv_msg_options, create, 8);
AT(madang_sysv_msg_options, reserved, 12);
ENDS_AT(madang_sysv_msg_options, 16);

AT(madang_sysv_msg_status, struct_size, 0);
AT(madang_sysv_msg_status, id, 4);
AT(madang_sysv_msg_status, key, 8);
AT(madang_sysv_msg_status, mode, 12);
AT(madang_sysv_msg_status, uid, 16);
AT(madang_sysv_msg_status, gid, 20);
AT(madang_sysv_msg_status, creator_uid, 24);
AT(madang_sysv_msg_status, creator_gid, 28);
AT(madang_sysv_msg_status, sequence, 32);
AT(madang_sysv_msg_status, last_sender, 36);
AT(madang_sysv_msg_status, last_receiver, 40);
AT(madang_sysv_msg_status, reserved, 44);
AT(madang_sysv_msg_status, messages, 48);
AT(madang_sysv_msg_status, bytes, 56);
AT(madang_sysv_msg_status, capacity, 64);
AT(madang_sysv_msg_status, sent_at, 72);
AT(madang_sysv_msg_status, received_at, 80);
AT(madang_sysv_msg_status, changed_at, 88);
ENDS_AT(madang_sysv_msg_status, 96);

AT(madang_sysv_change, struct_size, 0);
AT(madang_sysv_change, flags, 4);
AT(madang_sysv_change, mode, 8);
AT(madang_sysv_change, uid, 12);
AT(madang_sysv_change, gid, 16);
AT(madang_sysv_change, reserved, 20);
ENDS_AT(madang_sysv_change, 24);

AT(madang_sysv_msg_limits, struct_size, 0);
AT(madang_sysv_msg_limits, reserved, 4);
AT(madang_sysv_msg_limits, max_queues, 8);
AT(madang_sysv_msg_limits, max_message, 16);
AT(madang_sysv_msg_limits, capacity, 24);
AT(madang_sysv_msg_limits, queues, 32);
AT(madang_sysv_msg_limits, messages, 40);
AT(madang_sysv_msg_limits, bytes, 48);
ENDS_AT(madang_sysv_msg_limits, 56);

AT(madang_sysv_sem_options, struct_size, 0);
AT(madang_sysv_sem_options, mode, 4);
AT(madang_sysv_sem_options, create, 8);
AT(madang_sysv_sem_options, reserved, 12);
AT(madang_sysv_sem_options, patience_ns, 16);
ENDS_AT(madang_sysv_sem_options, 24);

AT(madang_sysv_sem_op, index, 0);
AT(madang_sysv_sem_op, delta, 2);
AT(madang_sysv_sem_op, flags, 4);
ENDS_AT(madang_sysv_sem_op, 6);

AT(madang_sysv_sem_status, struct_size, 0);
AT(madang_sysv_sem_status, id, 4);
AT(madang_sysv_sem_status, key, 8);
AT(madang_sysv_sem_status, mode, 12);
AT(madang_sysv_sem_status, uid, 16);
AT(madang_sysv_sem_status, gid, 20);
AT(madang_sysv_sem_status, creator_uid, 24);
AT(madang_sysv_sem_status, creator_gid, 28);
AT(madang_sysv_sem_status, sequence, 32);
AT(madang_sysv_sem_status, reserved, 36);
AT(madang_sysv_sem_status, count, 40);
AT(madang_sysv_sem_status, operated_at, 48);
AT(madang_sysv_sem_status, changed_at, 56);
ENDS_AT(madang_sysv_sem_status, 64);

AT(madang_sysv_sem_limits, struct_size, 0);
AT(madang_sysv_sem_limits, reserved, 4);
AT(madang_sysv_sem_limits, max_sets, 8);
AT(madang_sysv_sem_limits, max_semaphores, 16);
AT(madang_sysv_sem_limits, max_in_a_set, 24);
AT(madang_sysv_sem_limits, max_operations, 32);
AT(madang_sysv_sem_limits, max_value, 40);
AT(madang_sysv_sem_limits, sets, 48);
AT(madang_sysv_sem_limits, semaphores, 56);
ENDS_AT(madang_sysv_sem_limits, 64);

AT(madang_sysv_shm_options, struct_size, 0);
AT(madang_sysv_shm_options, flags, 4);
AT(madang_sysv_shm_options, mode, 8);
AT(madang_sysv_shm_options, create, 12);
AT(madang_sysv_shm_options, size, 16);
AT(madang_sysv_shm_options, huge_pages, 24);
ENDS_AT(madang_sysv_shm_options, 32);

AT(madang_sysv_shm_attach_options, struct_size, 0);
AT(madang_sysv_shm_attach_options, flags, 4);
AT(madang_sysv_shm_attach_options, address, 8);
ENDS_AT(madang_sysv_shm_attach_options, 16);

AT(madang_sysv_shm_status, struct_size, 0);
AT(madang_sysv_shm_status, id, 4);
AT(madang_sysv_shm_status, key, 8);
AT(madang_sysv_shm_status, mode, 12);
AT(madang_sysv_shm_status, uid, 16);
AT(madang_sysv_shm_status, gid, 20);
AT(madang_sysv_shm_status, creator_uid, 24);
AT(madang_sysv_shm_status, creator_gid, 28);
AT(madang_sysv_shm_status, sequence, 32);
AT(madang_sysv_shm_status, flags, 36);
AT(madang_sysv_shm_status, creator, 40);
AT(madang_sysv_shm_status, last_user, 44);
AT(madang_sysv_shm_status, size, 48);
AT(madang_sysv_shm_status, attached, 56);
AT(madang_sysv_shm_status, attached_at, 64);
AT(madang_sysv_shm_status, detached_at, 72);
AT(madang_sysv_shm_status, changed_at, 80);
ENDS_AT(madang_sysv_shm_status, 88);

AT(madang_sysv_shm_limits, struct_size, 0);
AT(madang_sysv_shm_limits, reserved, 4);
AT(madang_sysv_shm_limits, max_segments, 8);
AT(madang_sysv_shm_limits, max_size, 16);
AT(madang_sysv_shm_limits, min_size, 24);
AT(madang_sysv_shm_limits, max_pages, 32);
AT(madang_sysv_shm_limits, segments, 40);
AT(madang_sysv_shm_limits, pages, 48);
AT(madang_sysv_shm_limits, resident_pages, 56);
AT(madang_sysv_shm_limits, swapped_pages, 64);
ENDS_AT(madang_sysv_shm_limits, 72);

AT(madang_socket_listener_options, struct_size, 0);
AT(madang_socket_listener_options, flags, 4);
AT(madang_socket_listener_options, mode, 8);
AT(madang_socket_listener_options, backlog, 12);
ENDS_AT(madang_socket_listener_options, 16);

AT(madang_socket_message, struct_size, 0);
AT(madang_socket_message, flags, 4);
AT(madang_socket_message, length, 8);
AT(madang_socket_message, fds, 16);
AT(madang_socket_message, pid, 20);
AT(madang_socket_message, uid, 24);
AT(madang_socket_message, gid, 28);
AT(madang_socket_message, address, 32);
ENDS_AT(madang_socket_message, 160);

AT(madang_socket_peer, struct_size, 0);
AT(madang_socket_peer, pid, 4);
AT(madang_socket_peer, uid, 8);
AT(madang_socket_peer, gid, 12);
ENDS_AT(madang_socket_peer, 16);

AT(madang_signal_info, struct_size, 0);
AT(madang_signal_info, signal, 4);
AT(madang_signal_info, code, 8);
AT(madang_signal_info, pid, 12);
AT(madang_signal_info, uid, 16);
AT(madang_signal_info, value, 20);
AT(madang_signal_info, status, 24);
ENDS_AT(madang_signal_info, 28);

AT(madang_sync_options, struct_size, 0);
AT(madang_sync_options, flags, 4);
AT(madang_sync_options, mode, 8);
AT(madang_sync_options, create, 12);
ENDS_AT(madang_sync_options, 16);
